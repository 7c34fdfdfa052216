//! A checkpoint: where a tenant's log stood, signed. The format is C2SP's tlog-checkpoint in a C2SP signed note, so that
//! tools of others can read, compare and witness it. Two lines of ours follow: the newest commit's hash, and its time.

use signed_note::{Note, NoteError, StandardSigner, StandardVerifier, VerifierList};
use tlog_tiles::Checkpoint as Tree;
use tlog_tiles::tlog::Hash as LogHash;

use super::key;
use crate::domain::id::{Sequence, TenantId};
use crate::domain::time::Instant;
use crate::store::Hash;

/// Where a tenant's log stood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The tenant.
    pub tenant: TenantId,
    /// How many commits the log has; the newest one's number.
    pub size: Sequence,
    /// The root of the tree over them.
    pub root: Hash,
    /// The newest commit's hash.
    pub commit: Hash,
    /// When it was recorded.
    pub recorded: Instant,
}

/// Why a text is no checkpoint that can be believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// It is none.
    #[error("it is no checkpoint of whowas: {0}")]
    Malformed(&'static str),
    /// Nobody who is believed has signed it.
    #[error("it is not signed with the key {0}")]
    Unsigned(String),
    /// The signature is not one of its text.
    #[error("its signature does not fit its text, or was made with another key")]
    Forged,
}

impl Checkpoint {
    /// The text that is signed.
    pub fn text(&self) -> String {
        let extension = format!("commit {}\nrecorded {}\n", self.commit, self.recorded);
        let (origin, root) = (key::origin(self.tenant), LogHash(self.root.0));
        format!("{origin}\n{}\n{root}\n{extension}", self.size.0)
    }

    /// The signed note.
    ///
    /// # Errors
    /// If it cannot be signed.
    pub fn sign(&self, signer: &StandardSigner) -> Result<String, NoteError> {
        let mut note = Note::new(self.text().as_bytes(), &[])?;
        note.add_sigs(&[signer])?;
        String::from_utf8(note.to_bytes()).map_err(|_| NoteError::MalformedNote)
    }

    /// Reads a note that this key has signed. Signatures of others, such as witnesses, may stand beside.
    ///
    /// # Errors
    /// If it is no checkpoint, or not signed by the key.
    pub fn open(note: &str, verifier: &StandardVerifier) -> Result<Self, CheckpointError> {
        let parsed =
            Note::from_bytes(note.as_bytes()).map_err(|_| CheckpointError::Malformed("it is no signed note"))?;
        let mut signatures: Vec<&str> = note.lines().rev().take_while(|line| !line.is_empty()).collect();
        signatures.sort_unstable();
        if signatures.iter().zip(signatures.iter().skip(1)).any(|(a, b)| a == b) {
            return Err(CheckpointError::Malformed("a signature stands in it twice"));
        }
        let (name, id) = (signed_note::Verifier::name(verifier), signed_note::Verifier::key_id(verifier));
        let checkpoint = Self::read(parsed.text())?;
        if key::origin(checkpoint.tenant) != name {
            return Err(CheckpointError::Unsigned(name.to_owned()));
        }
        match parsed.verify(&VerifierList::new(vec![Box::new(verifier.clone())])) {
            Ok(_) => {}
            Err(NoteError::UnverifiedNote) => return Err(CheckpointError::Unsigned(format!("{name}+{id:08x}"))),
            Err(_) => return Err(CheckpointError::Forged),
        }
        Ok(checkpoint)
    }

    /// What a note says, whoever signed it.
    ///
    /// # Errors
    /// If it is no checkpoint.
    pub fn unverified(note: &str) -> Result<Self, CheckpointError> {
        let parsed =
            Note::from_bytes(note.as_bytes()).map_err(|_| CheckpointError::Malformed("it is no signed note"))?;
        Self::read(parsed.text())
    }

    /// Reads the text of a note. There is one way to write a checkpoint, and any other is refused.
    fn read(text: &[u8]) -> Result<Self, CheckpointError> {
        let no = CheckpointError::Malformed;
        let tree = Tree::from_bytes(text).map_err(|_| no("its first three lines are not those of a log"))?;
        let tenant = key::tenant_of(tree.origin()).ok_or(no("its first line names no log of whowas"))?;
        let mut lines = tree.extension().lines();
        let mut next = |word: &str| lines.next().and_then(|line| line.strip_prefix(word));
        let commit = next("commit ").and_then(|hash| hash.parse().ok()).ok_or(no("it lacks the line `commit`"))?;
        let recorded = next("recorded ").and_then(|at| at.parse().ok()).ok_or(no("it lacks the line `recorded`"))?;
        let checkpoint = Self { tenant, size: Sequence(tree.size()), root: Hash(tree.hash().0), commit, recorded };
        match checkpoint.text().as_bytes() == text {
            true => Ok(checkpoint),
            false => Err(no("it is not written as whowas writes it")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TENANT: TenantId = TenantId::from_bytes([0x11; 16]);

    fn checkpoint() -> Checkpoint {
        let recorded = Instant::from_micros(1_772_600_000_123_456);
        Checkpoint { tenant: TENANT, size: Sequence(5), root: Hash([1; 32]), commit: Hash([0xab; 32]), recorded }
    }

    fn keys() -> (StandardSigner, StandardVerifier) {
        let text = key::signer_text(&key::origin(TENANT), [7; 32]);
        (key::signer(TENANT, &text).unwrap(), key::verifier(&key::verifier_text(&text).unwrap()).unwrap())
    }

    /// Ed25519 gives the same signature for the same text, so the whole note is fixed.
    #[test]
    fn golden_checkpoint() {
        let (signer, verifier) = keys();
        let note = checkpoint().sign(&signer).unwrap();
        // Computed outside of this program, in Python.
        let golden = [
            "whowas/11111111-1111-1111-1111-111111111111\n",
            "5\n",
            "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\n",
            "commit abababababababababababababababababababababababababababababababab\n",
            "recorded 2026-03-04T04:53:20.123456Z\n",
            "\n",
            "— whowas/11111111-1111-1111-1111-111111111111 ph5KCHCHwu5SBwlZlEpHEnc3OcmTG6JI8IkbecG3raZFELPL+TAoCoGEzzlzsnKvd9HcrU4qECOGVCbojQcRfC5JggY=\n",
        ];
        assert_eq!(note, golden.concat());
        assert_eq!(Checkpoint::open(&note, &verifier), Ok(checkpoint()));
        assert_eq!(note, checkpoint().sign(&signer).unwrap());
    }

    #[test]
    fn every_flipped_bit_of_a_checkpoint_is_noticed() {
        let (signer, verifier) = keys();
        let note = checkpoint().sign(&signer).unwrap();
        for bit in 0..note.len() * 8 {
            let mut damaged = note.clone().into_bytes();
            damaged[bit / 8] ^= 1 << (bit % 8);
            let Ok(damaged) = String::from_utf8(damaged) else { continue };
            assert!(Checkpoint::open(&damaged, &verifier).is_err(), "bit {bit}: {damaged}");
        }
    }

    #[test]
    fn a_witness_may_sign_beside_and_another_key_does_not_do() {
        let (signer, verifier) = keys();
        let mut note = Note::from_bytes(checkpoint().sign(&signer).unwrap().as_bytes()).unwrap();
        let witness = StandardSigner::new(&key::signer_text("witness.example", [9; 32])).unwrap();
        note.add_sigs(&[&witness]).unwrap();
        let both = String::from_utf8(note.to_bytes()).unwrap();
        assert_eq!(Checkpoint::open(&both, &verifier), Ok(checkpoint()));
        let other = key::verifier_text(&key::signer_text(&key::origin(TENANT), [8; 32])).unwrap();
        let refused = Checkpoint::open(&both, &key::verifier(&other).unwrap()).unwrap_err();
        assert!(matches!(refused, CheckpointError::Unsigned(_)), "{refused}");
    }
}
