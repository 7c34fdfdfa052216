//! Any stored record, for whoever looks for damage or feeds the readers with it.

use super::audit::{AnchorV1, FindingV1, LinkRecordV1, TallyV1};
use super::fact::FactV1;
use super::index::{ErasedV1, LogNodesV1, PlaceV1, PostingV1, PresentV1, VacanciesV1, erased_of};
use super::journal::JournalV1;
use super::mapping::MappingStateV1;
use super::object::{BlockV1, ObjectV1, PartV1};
use super::snapshot::SnapshotRecordV1;
use super::tenant::{HeadV1, LoggedRunV1};
use crate::domain::finding::FindingId;
use crate::store::codec::{RecordError, decode, unseal};
use crate::store::key::Key;

/// Reads a record in full, as whoever needs it would, and tells what is wrong with it. Of a commit only what one value tells is
/// checked: its hashes cover all of its chunks.
pub(crate) fn check(key: &Key, value: &[u8]) -> Result<(), RecordError> {
    let sealed = key.encode();
    match key {
        Key::Journal { chunk: 0, .. } => {
            let (journal, kind) = JournalV1::read(value)?;
            if u64::try_from(journal.first.len()).ok() == Some(journal.payload_bytes) {
                kind.open(&journal.salt, &journal.first)?;
            }
        }
        // The rest of a payload is bytes.
        Key::Journal { .. } => {}
        Key::Head { .. } => drop(unseal::<HeadV1>(&sealed, value)?.read()?),
        Key::Object { part: 0, object, .. } => {
            for known in unseal::<ObjectV1>(&sealed, value)?.facts {
                known.read(*object)?;
            }
        }
        Key::Object { object, .. } => {
            let part: PartV1 = unseal(&sealed, value)?;
            if !part.goes_on {
                // It may be the end of a longer block, which then cannot be read alone.
                for known in decode::<BlockV1>(&part.piece).map_or_else(|_| Vec::new(), |block| block.0) {
                    known.read(*object)?;
                }
            }
        }
        Key::Posting { object, .. } => drop(unseal::<PostingV1>(&sealed, value)?.read(*object)),
        Key::Vacancy { .. } => {
            for vacant in unseal::<VacanciesV1>(&sealed, value)?.0 {
                vacant.read()?;
            }
        }
        Key::Snapshot { chain, id, from, .. } => {
            unseal::<SnapshotRecordV1>(&sealed, value)?.read(chain.clone(), id.clone(), *from)?;
        }
        Key::SnapshotPlace { .. } | Key::NameSnapshot { .. } | Key::Ending { .. } | Key::Unproved { .. } => {
            unseal::<PlaceV1>(&sealed, value)?.read();
        }
        Key::ObjectChain { .. }
        | Key::Owned { .. }
        | Key::Mailbox { .. }
        | Key::Notable { .. }
        | Key::Member { .. } => {
            let PresentV1 = unseal(&sealed, value)?;
        }
        Key::TenantFact { .. } => drop(unseal::<FactV1>(&sealed, value)?.read()?),
        Key::Run { .. } => drop(unseal::<LoggedRunV1>(&sealed, value)?.run.read()),
        Key::Tally { .. } => drop(unseal::<TallyV1>(&sealed, value)?.read()),
        Key::Finding { id, .. } => drop(unseal::<FindingV1>(&sealed, value)?.read(FindingId::from_bytes(*id))?),
        Key::Anchor { .. } => drop(unseal::<AnchorV1>(&sealed, value)?.read()),
        Key::Link { .. } => drop(unseal::<LinkRecordV1>(&sealed, value)?.read()),
        Key::LogNodes { .. } => drop(unseal::<LogNodesV1>(&sealed, value)?),
        Key::Erased { what, id, .. } => {
            let ErasedV1(_) = unseal(&sealed, value)?;
            erased_of(*what, *id)
                .ok_or_else(|| RecordError::Fields("what is erased is of no known kind".to_owned()))?;
        }
        Key::Mapping { .. } => drop(unseal::<MappingStateV1>(&sealed, value)?.read()?),
    }
    Ok(())
}
