//! What an auditor asks.

use serde_json::{Value, json};

use super::{Stage, json as answer, say};
use crate::domain::finding::Subject as About;
use crate::domain::link::{Link, LinkEnd};
use crate::domain::name::NameKind;
use crate::ledger::{KnownAt, LedgerError};
use crate::scenario::expect::Answer;
use crate::scenario::script::{Question, Subject};
use crate::service::restore::{Recipient, RestoreRequest};
use crate::service::{history, link, plan, restore, reuse, snapshot, status, who};

/// Findings read at a time.
const PAGE: usize = 256;
/// Items of a list that are looked at.
const LIMIT: usize = 10_000;

impl Stage {
    pub(super) fn question(&mut self, tenant: usize, question: &Question) -> Answer {
        let desk = self.desk(tenant);
        let refuse = |error: LedgerError| say(&error);
        match question {
            Question::Who { name, kind, at, known_at } => {
                let known_at = known_at.map_or(KnownAt::Now, KnownAt::Time);
                answer(&who::who(&desk, name, *kind, *at, known_at).map_err(refuse)?)
            }
            Question::Show { chain, id } => answer(&snapshot::show(&desk, chain.clone(), id.clone()).map_err(refuse)?),
            Question::History { of, known_at } => {
                let known_at = known_at.map_or(KnownAt::Now, KnownAt::Time);
                match of {
                    Subject::Name(name) => answer(&history::of_name(&desk, name, known_at).map_err(refuse)?),
                    Subject::Object(symbol) => {
                        let object = self.object(symbol)?;
                        let found = history::of_object(&desk, object, known_at).map_err(refuse)?;
                        answer(&found.ok_or_else(|| format!("object {object} was never seen"))?)
                    }
                }
            }
            Question::Status => {
                let all = status::status(&desk.ledger, &[desk.tenant], |_| None).map_err(refuse)?;
                let own = all.tenants.into_iter().find(|status| status.tenant == desk.tenant);
                answer(&own.ok_or_else(|| "the ledger has no such tenant".to_owned())?)
            }
            Question::Verify => {
                let report = desk.ledger.verify(|_| {}).map_err(refuse)?;
                if report.differences.is_empty() {
                    return Ok(Value::Null);
                }
                Err(format!("the ledger is damaged: {:?}", report.differences))
            }
            Question::Findings => self.findings(tenant),
            Question::ImportAudits { since, until } => self.import_audits(tenant, *since, *until),
            Question::Plan { chain } => {
                let found = plan::plan(&desk, chain).map_err(refuse)?;
                answer(&found.ok_or_else(|| format!("chain {chain} has no snapshots"))?)
            }
            Question::RestoreCheck { chain, id, to } => {
                let to = match to {
                    Subject::Name(name) => Recipient::Name(name.clone(), NameKind::Any),
                    Subject::Object(symbol) => Recipient::Object(self.object(symbol)?),
                };
                let request = RestoreRequest { chain: chain.clone(), snapshot: id.clone(), to };
                answer(&restore::restore_check(&desk, &request).map_err(refuse)?)
            }
            Question::Reuse => answer(&reuse::reuse(&desk, None, LIMIT).map_err(refuse)?),
            Question::Link { from, relation, to, add } => {
                let to = LinkEnd { tenant: None, object: self.object(to)? };
                let wanted = Link { from: self.object(from)?, to, relation: *relation, note: None, by: None };
                answer(&link::set(&desk, wanted, *add).map_err(|error| say(&error))?)
            }
            Question::LinkCandidates => answer(&link::candidates(&desk, None, None, LIMIT).map_err(refuse)?),
            Question::Review { .. } => Err("this release cannot be asked that by a scenario".to_owned()),
        }
    }

    /// Everything that was ever found, whatever its state.
    fn findings(&self, tenant: usize) -> Answer {
        let desk = self.desk(tenant);
        let (mut items, mut after) = (Vec::new(), None);
        loop {
            let page = desk.ledger.findings(desk.tenant, after, PAGE).map_err(|error| say(&error))?;
            let Some(last) = page.last() else { return Ok(json!({"items": items})) };
            after = Some(last.id);
            items.extend(page.iter().map(|finding| {
                let (chain, name) = match &finding.subject {
                    About::Chain(chain) => (Some(chain.as_str()), None),
                    About::Name(name) => (None, Some(name.as_str())),
                    _ => (None, None),
                };
                json!({
                    "kind": finding.kind,
                    "severity": finding.severity(),
                    "state": finding.state(),
                    "chain": chain,
                    "name": name,
                })
            }));
        }
    }
}
