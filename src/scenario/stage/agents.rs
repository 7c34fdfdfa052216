//! What a backup agent asks and reports.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::symbols::chain_of;
use super::{Stage, json as answer};
use crate::domain::fact::{Addressed, Fact, Receipt, Snapshot};
use crate::domain::id::{ObjectId, SnapshotId};
use crate::domain::name::Name;
use crate::domain::verdict::Ask;
use crate::ledger::{Batch, KnownAt, Stamp};
use crate::scenario::expect::Answer;
use crate::scenario::script::{Agent, AskPart, By};
use crate::service::check::{self, CheckAnswer};
use crate::service::snapshot;
use crate::sync::with_causes;

/// Snapshots of a crowd that go into one commit.
const FACTS: usize = 500;
/// Reasons of a crowd's verdicts that are kept.
const REASONS: usize = 100;

impl Stage {
    pub(super) async fn agent(&mut self, tenant: usize, agent: &Agent) -> Answer {
        match agent {
            Agent::Ask(part) => answer(&self.ask(tenant, part).await?),
            Agent::AskEach { crowd, by_name, chain, verify } => {
                let objects = self.symbols.objects_of(crowd)?.to_vec();
                let (mut verdicts, mut reasons) = (BTreeMap::<String, u64>::new(), BTreeSet::new());
                for (number, object) in (1..).zip(objects) {
                    let name = if *by_name { Some(self.name_of(tenant, object)?) } else { None };
                    let ask = Ask {
                        object: if *by_name { None } else { Some(object) },
                        name,
                        chain: chain.as_ref().map(|crowd| chain_of(crowd, number)).transpose()?,
                        ..Ask::default()
                    };
                    let answer = self.judge(tenant, &ask, *verify, KnownAt::Now, None).await?;
                    let verdict = serde_json::to_value(answer.verdict).map_err(|error| error.to_string())?;
                    *verdicts.entry(verdict.as_str().unwrap_or_default().to_owned()).or_default() += 1;
                    if reasons.len() < REASONS {
                        reasons.extend(answer.reasons);
                    }
                }
                let verdicts: Vec<Value> =
                    verdicts.iter().map(|(verdict, count)| json!({"verdict": verdict, "count": count})).collect();
                Ok(json!({"verdicts": verdicts, "reasons": reasons}))
            }
            Agent::Snapshot { chain, id, by, from, until, mailbox, imported } => {
                let addressed = match by {
                    By::Name(name, kind) => Addressed::Name(name.clone(), *kind),
                    By::Object(symbol) => Addressed::Object(self.symbols.object(symbol)?),
                };
                let from = from.unwrap_or(self.now);
                let until = until.unwrap_or(from);
                let mailbox = self.mailbox(mailbox.as_ref());
                let taken = Snapshot { chain: chain.clone(), id: id.clone(), from, until, addressed, mailbox };
                if *imported {
                    return self.import_snapshot(tenant, &taken);
                }
                answer(&snapshot::add(&self.desk(tenant), taken).map_err(|error| with_causes(&error))?)
            }
            Agent::SnapshotEach { crowd, id } => self.snapshot_each(tenant, crowd, id),
            Agent::Receipt { chain, id, object, mailbox, object_end, mailbox_end } => {
                let receipt = Receipt {
                    chain: chain.clone(),
                    snapshot: id.clone(),
                    object: self.symbols.object(object)?,
                    mailbox: self.mailbox(mailbox.as_ref()),
                    object_end: object_end.as_ref().map(|symbol| self.symbols.object(symbol)).transpose()?,
                    mailbox_end: self.mailbox(mailbox_end.as_ref()),
                };
                answer(&snapshot::receipt(&self.desk(tenant), receipt).map_err(|error| with_causes(&error))?)
            }
            Agent::Expire { chain, id } => {
                let expired = snapshot::expire(&self.desk(tenant), chain.clone(), id.clone());
                answer(&expired.map_err(|error| with_causes(&error))?)
            }
        }
    }

    async fn ask(&self, tenant: usize, part: &AskPart) -> Result<CheckAnswer, String> {
        let ask = Ask {
            chain: part.chain.clone(),
            name: part.name.clone(),
            kind: part.kind,
            object: part.object.as_ref().map(|symbol| self.symbols.object(symbol)).transpose()?,
            mailbox: self.mailbox(part.mailbox.as_ref()),
            at: part.clock,
        };
        let known_at = part.known_at.map_or(KnownAt::Now, KnownAt::Time);
        self.judge(tenant, &ask, part.verify, known_at, part.max_age).await
    }

    async fn judge(
        &self,
        tenant: usize,
        ask: &Ask,
        verify: bool,
        known_at: KnownAt,
        max_age: Option<std::time::Duration>,
    ) -> Result<CheckAnswer, String> {
        let mut desk = self.desk(tenant);
        if let Some(age) = max_age {
            desk.policy.name_max_age = age;
        }
        if verify {
            return check::check_live(&desk, &self.context(tenant), ask).await.map_err(|error| with_causes(&error));
        }
        check::check(&desk, ask, known_at).map_err(|error| with_causes(&error))
    }

    /// The user principal name that an object has in the directory now.
    fn name_of(&self, tenant: usize, object: ObjectId) -> Result<Name, String> {
        let upn = self.tenant(tenant).emulator.with(|directory| {
            let user = directory.user(object).or_else(|| directory.deleted_user(object))?;
            // A deleted user's name has its id in front.
            let undashed = object.to_string().replace('-', "");
            Some(user.upn.strip_prefix(&undashed).unwrap_or(&user.upn).to_owned())
        });
        let upn = upn.ok_or_else(|| format!("object {object} has no name in the directory"))?;
        upn.parse().map_err(|error: crate::domain::name::NameError| error.to_string())
    }

    /// The agents of a whole crowd report in few commits.
    fn snapshot_each(&self, tenant: usize, crowd: &str, id: &SnapshotId) -> Answer {
        let mut facts = Vec::new();
        for (number, object) in (1..).zip(self.symbols.objects_of(crowd)?) {
            let (chain, id, now) = (chain_of(crowd, number)?, id.clone(), self.now);
            let addressed = Addressed::Object(*object);
            facts.push(Fact::SnapshotTaken(Snapshot { chain, id, from: now, until: now, addressed, mailbox: None }));
        }
        let (desk, clock) = (self.desk(tenant), self.clock());
        for facts in facts.chunks(FACTS) {
            let stamp = Stamp { now: self.now, salt: clock.salt() };
            let batch = Batch { facts: facts.to_vec(), ..Batch::default() };
            desk.ledger.append(desk.tenant, batch, stamp).map_err(|error| with_causes(&error))?;
        }
        Ok(Value::Null)
    }
}
