//! Parts that several answers share.

use serde::{Deserialize, Serialize};

use crate::domain::fact::Source;
use crate::domain::holder::Candidate;
use crate::domain::id::{ObjectId, Sequence};
use crate::domain::interval::Edge;
use crate::domain::name::{Name, Namespace};
use crate::domain::time::Instant;
use crate::domain::timeline::Names;
use crate::domain::track::{Confidence, Origin, Period};

/// An object that the evidence allows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct CandidatePart {
    /// Which object.
    pub object: ObjectId,
    /// `certain`, `assumed` or `possible`.
    pub confidence: CandidateConfidence,
    /// When it may have held the name.
    pub held: Vec<HeldPart>,
}

/// One period of a hold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "http", schema(as = HeldPeriod))]
pub struct HeldPart {
    /// As what.
    pub kind: Namespace,
    /// When it began.
    pub from: Edge,
    /// When it ended.
    pub until: Option<Edge>,
}

/// An object's names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct NamesPart {
    /// The user principal name.
    pub upn: Option<Name>,
    /// The primary SMTP address.
    pub mail: Option<Name>,
    /// The other SMTP addresses.
    pub aliases: Vec<Name>,
}

/// The fact behind a statement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct EvidencePart {
    /// Who said it.
    pub source: Source,
    /// When it was observed or happened.
    pub at: Instant,
    /// The commit that brought it.
    pub sequence: Sequence,
    /// The audit event's id, or the other object whose hold shows it.
    #[serde(rename = "ref")]
    pub reference: Option<String>,
}

/// A word of a command line, as a shell reads it.
pub fn shell(word: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_./:@+=,%".contains(letter);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// The contract's word for a value, as its JSON spells it.
pub fn word_of<T: Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        Ok(other) => other.to_string(),
        Err(_) => String::new(),
    }
}

/// How sure it is that a candidate held the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum CandidateConfidence {
    /// Proved.
    Certain,
    /// The same at both ends, and nothing proved in between.
    Assumed,
    /// The evidence allows it.
    Possible,
    /// The evidence excludes it.
    Impossible,
}

impl From<&Candidate> for CandidatePart {
    fn from(candidate: &Candidate) -> Self {
        let held = candidate.held.iter().map(|(kind, period)| HeldPart {
            kind: *kind,
            from: period.from,
            until: period.until,
        });
        Self { object: candidate.object, confidence: candidate.confidence.into(), held: held.collect() }
    }
}

impl From<Names> for NamesPart {
    fn from(names: Names) -> Self {
        Self { upn: names.upn, mail: names.mail, aliases: names.aliases }
    }
}

impl From<&Origin> for EvidencePart {
    fn from(origin: &Origin) -> Self {
        let reference = origin.event.clone().or_else(|| origin.rival.map(|rival| rival.to_string()));
        Self { source: origin.source, at: origin.at, sequence: origin.sequence, reference }
    }
}

/// The evidence of a period, each fact once.
pub fn evidence_of(period: &Period) -> Vec<EvidencePart> {
    let mut parts: Vec<EvidencePart> = period.evidence.iter().map(EvidencePart::from).collect();
    parts.dedup();
    parts
}

impl From<Confidence> for CandidateConfidence {
    fn from(confidence: Confidence) -> Self {
        match confidence {
            Confidence::Certain => Self::Certain,
            Confidence::Assumed => Self::Assumed,
            Confidence::Possible | Confidence::Unlikely => Self::Possible,
            Confidence::Impossible => Self::Impossible,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::shell;

    #[test]
    fn a_word_of_a_command_line_is_one_word_for_a_shell() {
        for plain in ["mailbox-0042", "a/b:c@x.test"] {
            assert_eq!(shell(plain), plain);
        }
        for (word, quoted) in
            [("", "''"), ("ray & co", "'ray & co'"), ("it's; rm $x", "'it'\\''s; rm $x'"), ("~", "'~'"), ("*", "'*'")]
        {
            assert_eq!(shell(word), quoted);
        }
    }
}
