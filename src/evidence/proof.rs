//! A proof as a text file: lines of a word and what it says, in one order, each written in one way. A file that says the
//! same in other words is refused, so that no bit of a proof can change unnoticed.

use std::fmt::Write as _;

use data_encoding::HEXLOWER;

use crate::domain::id::{ChainId, ObjectId, Sequence, SnapshotId};
use crate::store::Hash;
use crate::store::open::Item;

/// The first line of every proof.
pub const FIRST_LINE: &str = "whowas-proof/1";
/// What stands for nobody.
const NONE: &str = "-";
/// What stands before each line of a note within a proof.
const QUOTE: char = '|';
/// Longest proof that is read, in bytes.
pub const BYTES_MAX: usize = 64 << 20;

/// What a proof's text says. Nothing of it is checked yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// The verifier key with which it was made, for those who got it in no better way.
    pub key: String,
    /// The signed checkpoint that everything in it is traced to.
    pub checkpoint: String,
    /// An older checkpoint, whose log the newer one continues.
    pub older: Option<Older>,
    /// A snapshot, and whose data it holds.
    pub snapshot: Option<SnapshotPart>,
}

/// Whose data a snapshot holds, and the facts on which that rests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotPart {
    /// The chain.
    pub chain: ChainId,
    /// The snapshot.
    pub snapshot: SnapshotId,
    /// Whose data it is said to hold.
    pub claim: Claim,
    /// The commits that brought the facts, oldest first.
    pub commits: Vec<ShownCommit>,
    /// The rest of the log's tree.
    pub log: Vec<Hash>,
}

/// Whose data a snapshot is said to hold.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Claim {
    /// Whose, if it is one.
    pub owner: Option<ObjectId>,
    /// How sure, in a word.
    pub confidence: String,
    /// Whether no configured source was still expected to speak.
    pub settled: bool,
    /// Whom the evidence allows, and how sure each is.
    pub candidates: Vec<(ObjectId, String)>,
}

/// A commit of which some facts are shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownCommit {
    /// Its number.
    pub sequence: Sequence,
    /// The hash of the commit before.
    pub previous: Hash,
    /// When it was recorded, in microseconds since 1970.
    pub recorded: i64,
    /// How many items it has.
    pub items: u32,
    /// Those that are shown, by their places.
    pub shown: Vec<Item>,
    /// The rest of the tree of its items.
    pub rest: Vec<Hash>,
}

/// An older checkpoint, and the hashes that lead from it to the newer one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Older {
    /// The signed checkpoint.
    pub checkpoint: String,
    /// The consistency proof of RFC 6962.
    pub path: Vec<Hash>,
}

/// Why a text is no proof.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {why}")]
pub struct NoProof {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub why: String,
}

impl Proof {
    /// The text.
    pub fn text(&self) -> String {
        let mut text = format!("{FIRST_LINE}\nkey {}\ncheckpoint\n", self.key);
        quote(&mut text, &self.checkpoint);
        if let Some(Older { checkpoint, path }) = &self.older {
            text.push_str("older\n");
            quote(&mut text, checkpoint);
            hashes(&mut text, "consistency", path);
        }
        if let Some(snapshot) = &self.snapshot {
            snapshot.write(&mut text);
        }
        text
    }

    /// Reads a text.
    ///
    /// # Errors
    /// If it is no proof, or is not written as proofs are.
    pub fn parse(text: &str) -> Result<Self, NoProof> {
        let mut lines = Lines::of(text);
        lines.exactly(FIRST_LINE)?;
        let key = lines.word("key")?.to_owned();
        lines.exactly("checkpoint")?;
        let checkpoint = lines.quoted()?;
        let older = match lines.is_next("older") {
            true => {
                lines.exactly("older")?;
                let checkpoint = lines.quoted()?;
                Some(Older { checkpoint, path: lines.hashes("consistency")? })
            }
            false => None,
        };
        let snapshot = match lines.is_next("snapshot") {
            true => Some(SnapshotPart::read(&mut lines)?),
            false => None,
        };
        lines.end()?;
        let proof = Self { key, checkpoint, older, snapshot };
        // The lines above are read leniently in small things (such as the case of digits); this settles all of them.
        match first_difference(&proof.text(), text) {
            None => Ok(proof),
            Some(line) => Err(NoProof { line, why: "it is not written as proofs are".to_owned() }),
        }
    }
}

impl SnapshotPart {
    fn write(&self, text: &mut String) {
        let Claim { owner, confidence, settled, candidates } = &self.claim;
        let owner = owner.map_or_else(|| NONE.to_owned(), |owner| owner.to_string());
        let settled = if *settled { "yes" } else { "no" };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "snapshot {}\nchain {}\nowner {owner}", self.snapshot, self.chain);
        let _ = writeln!(text, "confidence {confidence}\nsettled {settled}");
        for (object, confidence) in candidates {
            let _ = writeln!(text, "candidate {object} {confidence}");
        }
        for commit in &self.commits {
            let ShownCommit { sequence, previous, recorded, items, shown, rest } = commit;
            let _ = writeln!(text, "commit {sequence}\nprevious {previous}\nrecorded {recorded}\nitems {items}");
            for Item { place, salt, bytes } in shown {
                let _ =
                    writeln!(text, "item {place} {} {}", HEXLOWER.encode_display(salt), HEXLOWER.encode_display(bytes));
            }
            hashes(text, "rest", rest);
        }
        hashes(text, "log", &self.log);
    }

    fn read(lines: &mut Lines<'_>) -> Result<Self, NoProof> {
        let snapshot = lines.value("snapshot")?;
        let chain = lines.value("chain")?;
        let owner = match lines.word("owner")? {
            NONE => None,
            object => Some(object.parse().map_err(|error| lines.no(format!("{error}")))?),
        };
        let confidence = lines.word("confidence")?.to_owned();
        let settled = match lines.word("settled")? {
            "yes" => true,
            "no" => false,
            _ => return Err(lines.no("yes or no was expected")),
        };
        let mut candidates = Vec::new();
        while lines.is_next("candidate") {
            let (object, confidence) = lines.pair("candidate")?;
            candidates.push((object.parse().map_err(|error| lines.no(format!("{error}")))?, confidence.to_owned()));
        }
        let mut commits = Vec::new();
        while lines.is_next("commit") {
            commits.push(ShownCommit::read(lines)?);
        }
        let log = lines.hashes("log")?;
        Ok(Self { chain, snapshot, claim: Claim { owner, confidence, settled, candidates }, commits, log })
    }
}

impl ShownCommit {
    fn read(lines: &mut Lines<'_>) -> Result<Self, NoProof> {
        let sequence = Sequence(lines.value("commit")?);
        let (previous, recorded) = (lines.value("previous")?, lines.value("recorded")?);
        let items = lines.value("items")?;
        let mut shown = Vec::new();
        while lines.is_next("item") {
            let (place, said) = lines.pair("item")?;
            let no = |lines: &Lines<'_>| lines.no("\"item PLACE SALT BYTES\" was expected");
            let (salt, bytes) = said.split_once(' ').ok_or_else(|| no(lines))?;
            let place = place.parse().map_err(|_| no(lines))?;
            let salt = unhex(salt).and_then(|salt| salt.try_into().ok()).ok_or_else(|| no(lines))?;
            shown.push(Item { place, salt, bytes: unhex(bytes).ok_or_else(|| no(lines))? });
        }
        Ok(Self { sequence, previous, recorded, items, shown, rest: lines.hashes("rest")? })
    }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    HEXLOWER.decode(text.as_bytes()).ok()
}

fn first_difference(a: &str, b: &str) -> Option<usize> {
    if a == b {
        return None;
    }
    let same = a.split('\n').zip(b.split('\n')).take_while(|(a, b)| a == b).count();
    Some(same + 1)
}

/// A note, each line after a bar.
fn quote(text: &mut String, note: &str) {
    for line in note.lines() {
        text.push(QUOTE);
        if !line.is_empty() {
            text.push(' ');
            text.push_str(line);
        }
        text.push('\n');
    }
}

fn hashes(text: &mut String, word: &str, hashes: &[Hash]) {
    for hash in hashes {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{word} {hash}");
    }
}

/// The lines of a text, read one after the other.
struct Lines<'t> {
    lines: std::iter::Peekable<std::str::Split<'t, char>>,
    line: usize,
}

impl<'t> Lines<'t> {
    fn of(text: &'t str) -> Self {
        Self { lines: text.split('\n').peekable(), line: 0 }
    }

    fn no(&self, why: impl Into<String>) -> NoProof {
        NoProof { line: self.line, why: why.into() }
    }

    fn next(&mut self) -> &'t str {
        self.line += 1;
        self.lines.next().unwrap_or_default()
    }

    /// Whether the next line begins with a word.
    fn is_next(&mut self, word: &str) -> bool {
        let rest = self.lines.peek().and_then(|line| line.strip_prefix(word));
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
    }

    fn exactly(&mut self, wanted: &str) -> Result<(), NoProof> {
        if self.next() == wanted { Ok(()) } else { Err(self.no(format!("{wanted:?} was expected"))) }
    }

    fn word(&mut self, word: &str) -> Result<&'t str, NoProof> {
        let rest = self.next().strip_prefix(word).and_then(|rest| rest.strip_prefix(' '));
        rest.filter(|rest| !rest.is_empty()).ok_or_else(|| self.no(format!("\"{word} …\" was expected")))
    }

    fn value<T: std::str::FromStr<Err: std::fmt::Display>>(&mut self, word: &str) -> Result<T, NoProof> {
        self.word(word)?.parse().map_err(|error| self.no(format!("{error}")))
    }

    fn pair(&mut self, word: &str) -> Result<(&'t str, &'t str), NoProof> {
        let pair = self.word(word)?.split_once(' ');
        pair.ok_or_else(|| self.no(format!("\"{word} … …\" was expected")))
    }

    fn quoted(&mut self) -> Result<String, NoProof> {
        let mut note = String::new();
        while let Some(rest) = self.lines.peek().and_then(|line| line.strip_prefix(QUOTE)) {
            self.next();
            note.push_str(rest.strip_prefix(' ').unwrap_or(rest));
            note.push('\n');
        }
        if note.is_empty() { Err(self.no("a checkpoint was expected after it")) } else { Ok(note) }
    }

    fn hashes(&mut self, word: &str) -> Result<Vec<Hash>, NoProof> {
        let mut hashes = Vec::new();
        while self.is_next(word) {
            hashes.push(self.value(word)?);
        }
        Ok(hashes)
    }

    /// The last line ends in a line feed, and nothing follows.
    fn end(&mut self) -> Result<(), NoProof> {
        let (last, more) = (self.next(), self.lines.next());
        if last.is_empty() && more.is_none() { Ok(()) } else { Err(self.no("the proof should end here")) }
    }
}
