//! No text makes the verifier of proofs panic; and under the key that made those of the corpus nothing else is ever shown than what
//! they show, however they are changed.

use std::sync::LazyLock;

use whowas::evidence::proof::Proof;
use whowas::evidence::verify::{Trust, Verified, verify};

/// Proofs of one ledger, whose key nobody has any more.
const TRUE: [&str; 3] = [
    include_str!("../corpus/proof/consistency"),
    include_str!("../corpus/proof/snapshot-by-name"),
    include_str!("../corpus/proof/snapshot-by-object"),
];

/// What they show under their key.
static SHOWN: LazyLock<(Trust, Vec<Verified>)> = LazyLock::new(|| {
    let key = Proof::parse(TRUE[0]).expect("a proof of the corpus is one").key;
    let trust = Trust { key: Some(key), kept: None };
    let shown = TRUE.iter().map(|text| verify(text, &trust).expect("a proof of the corpus holds")).collect();
    (trust, shown)
});

pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (trust, shown) = &*SHOWN;
    // Whoever brings no key along believes what anybody made, so all that is asked of it is that it ends.
    let _ = verify(text, &Trust::default());
    if let Ok(found) = verify(text, trust) {
        assert!(shown.iter().any(|shown| is_part(&found, shown)), "{found:?}");
    }
    if let Ok(proof) = Proof::parse(text) {
        assert_eq!(Proof::parse(&proof.text()).as_ref(), Ok(&proof), "it is written as it was read");
    }
}

/// Whether one says nothing that the other does not: a part of a proof may be left out.
fn is_part(found: &Verified, whole: &Verified) -> bool {
    let is_stand = |stand| stand == whole.checkpoint || whole.older == Some(stand);
    let is_snapshot = found.snapshot.is_none() || found.snapshot == whole.snapshot;
    found.tenant == whole.tenant && is_stand(found.checkpoint) && found.older.is_none_or(is_stand) && is_snapshot
}
