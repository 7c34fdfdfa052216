//! What an auditor asks, and what an operator says.

use serde_json::Value;

use super::{Stage, json as answer};
use crate::domain::finding::FindingId;
use crate::domain::finding::FindingState::{Acknowledged, Open, Resolved, Withdrawn};
use crate::domain::link::{Link, LinkEnd};
use crate::domain::name::NameKind;
use crate::ledger::{KnownAt, LedgerError};
use crate::scenario::expect::Answer;
use crate::scenario::script::{Question, Subject};
use crate::service::findings::{self, Filter, FindingList, Word};
use crate::service::restore::{Recipient, RestoreRequest};
use crate::service::{history, link, plan, restore, reuse, snapshot, status, who};
use crate::sync::Flights;
use crate::sync::with_causes;

/// Who acknowledges and resolves.
const OPERATOR: &str = "operator";
/// Items of a list that are looked at.
const LIMIT: usize = 10_000;

impl Stage {
    pub(super) async fn question(&mut self, tenant: usize, question: &Question) -> Answer {
        let desk = self.desk(tenant);
        let refuse = |error: LedgerError| with_causes(&error);
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
                        let object = self.symbols.object(symbol)?;
                        let found = history::of_object(&desk, object, known_at).map_err(refuse)?;
                        answer(&found.ok_or_else(|| format!("object {object} was never seen"))?)
                    }
                }
            }
            Question::Status => {
                let all = status::status(&desk.ledger, &[], &Flights::default(), desk.clock.now()).map_err(refuse)?;
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
            Question::Findings => answer(&self.findings(tenant)?),
            Question::ImportAudits { since, until } => self.import_audits(tenant, *since, *until),
            Question::Plan { chain } => {
                let found = plan::plan(&desk, chain).map_err(refuse)?;
                answer(&found.ok_or_else(|| format!("chain {chain} has no snapshots"))?)
            }
            Question::RestoreCheck { chain, id, to, verify } => {
                let to = match to {
                    Subject::Name(name) => Recipient::Name(name.clone(), NameKind::Any),
                    Subject::Object(symbol) => Recipient::Object(self.symbols.object(symbol)?),
                };
                let request = RestoreRequest { chain: chain.clone(), snapshot: id.clone(), to };
                if *verify {
                    let checked = restore::restore_check_live(&desk, &self.context(tenant), &request).await;
                    return answer(&checked.map_err(|error| with_causes(&error))?);
                }
                answer(&restore::restore_check(&desk, &request).map_err(refuse)?)
            }
            Question::Reuse => answer(&reuse::reuse(&desk, None, LIMIT).map_err(refuse)?),
            Question::Link { from, relation, to, tenant, add } => {
                let tenant = tenant.map(|place| self.tenant(place).tenant);
                let to = LinkEnd { tenant, object: self.symbols.object(to)? };
                let wanted = Link { from: self.symbols.object(from)?, to, relation: *relation, note: None, by: None };
                answer(&link::set(&desk, wanted, *add).map_err(|error| with_causes(&error))?)
            }
            Question::LinkCandidates => answer(&link::candidates(&desk, None, None, LIMIT).map_err(refuse)?),
            Question::Review { resolve, kind } => self.review(tenant, *resolve, kind),
        }
    }

    /// Everything that was ever found, whatever its state.
    fn findings(&self, tenant: usize) -> Result<FindingList, String> {
        let states = [Open, Acknowledged, Resolved, Withdrawn].to_vec();
        let filter = Filter { states, ..Filter::default() };
        findings::findings(&self.desk(tenant), &filter, None, LIMIT).map_err(|error| with_causes(&error))
    }

    /// An operator's word on every finding of a kind that is not withdrawn.
    fn review(&self, tenant: usize, resolve: bool, kind: &str) -> Answer {
        let desk = self.desk(tenant);
        let word = if resolve { Word::Resolve } else { Word::Acknowledge };
        let found = self.findings(tenant)?.items.into_iter();
        let wanted: Vec<FindingId> =
            found.filter(|item| item.kind.word() == kind && item.state != Withdrawn).map(|item| item.id).collect();
        if wanted.is_empty() {
            return Err(format!("there is no finding {kind}"));
        }
        for id in wanted {
            findings::review(&desk, id, word, Some(OPERATOR.to_owned()), None).map_err(|error| with_causes(&error))?;
        }
        Ok(Value::Null)
    }
}
