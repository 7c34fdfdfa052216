//! Two people, one name: backed up, renamed, reused, backed up again, restored.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use async_trait::async_trait;
use serde_json::Value;
use whowas::domain::id::ObjectId;
use whowas::domain::restore::RestoreVerdict;
use whowas::domain::verdict::Outcome;
use whowas::graph::emulator::{Directory, Emulator, Folder, NewMessage, NewUser, Refusal};

use super::Agent;
use super::backup::Run;
use super::contents;
use super::restore::Restored;
use super::trouble::Trouble;

/// The name that changes hands.
pub const NAME: &str = "sam.hill@x.test";
/// What its first holder is called later.
const RENAMED: &str = "sam.hill-jones@x.test";
/// A colleague whose name stays.
const OTHER: &str = "kim.lee@x.test";

/// What goes on beside the agent: whowas reads the directory now and then.
#[async_trait]
pub trait Meanwhile: Send + Sync {
    /// Lets whowas read the directory, and so much time pass that nothing of before can still be on its way through it.
    async fn night(&self) -> Result<(), Trouble>;
}

/// What the story came to.
#[derive(Debug, Default)]
pub struct Ending {
    /// What happened, in lines.
    pub told: String,
    /// The verdict of each run, in order, with whose mailbox it was.
    pub verdicts: Vec<(&'static str, Outcome)>,
    /// Messages in a chain that are not its owner's. There must be none.
    pub strayed: usize,
    /// Messages of a person that no chain of theirs has. There must be none.
    pub missing: usize,
    /// How the two restores ended.
    pub restored: Option<Restored>,
    pub refused: Option<Restored>,
}

/// The directory in which the story begins.
pub fn directory(now: whowas::domain::time::Instant) -> Result<Directory, Refusal> {
    let mut directory = Directory::new("contoso.onmicrosoft.com", now, 11);
    directory.seed_users(20, "x.test")?;
    directory.create_user(NewUser::mailbox(NAME))?;
    directory.create_user(NewUser::mailbox(OTHER))?;
    Ok(directory)
}

/// Plays it.
pub async fn play(agent: &Agent, emulator: &Emulator, meanwhile: &dyn Meanwhile) -> Result<Ending, Trouble> {
    let mut story = Story { agent, emulator, people: Vec::new(), ending: Ending::default() };
    meanwhile.night().await?;
    let sam = story.enrol("Sam", NAME).await?;
    let kim = story.enrol("Kim", OTHER).await?;
    story.mail(sam, 23)?;
    story.mail(kim, 4)?;
    story.back_up_all().await?;
    meanwhile.night().await?;

    story.tell(&format!("Sam marries: {NAME} becomes {RENAMED}"));
    emulator.with(|directory| directory.rename(sam, RENAMED, false)).map_err(refused)?;
    story.mail(sam, 2)?;
    meanwhile.night().await?;
    story.back_up_all().await?;

    story.tell(&format!("Alex joins and gets the free name {NAME}"));
    let alex = emulator.with(|directory| directory.create_user(NewUser::mailbox(NAME))).map_err(refused)?;
    story.mail(alex, 3)?;
    story.mail(sam, 1)?;
    // The directory has not been read since. The names that whowas knows are old; the ids that the agent opens are not.
    story.back_up_all().await?;
    let enrolled = story.enrol("Alex", NAME).await?;
    if enrolled != alex {
        return Err(Trouble::Service(format!("{NAME} is {alex} now, not {enrolled}")));
    }
    story.back_up_all().await?;

    story.restore(sam, alex).await?;
    story.reckon()?;
    Ok(story.ending)
}

/// Whether whowas said what it had to say, and both restores ended as they must.
pub fn is_as_expected(ending: &Ending) -> bool {
    let expected = [
        [("Sam", Outcome::Baseline), ("Kim", Outcome::Baseline)].as_slice(),
        &[("Sam", Outcome::Renamed), ("Kim", Outcome::Continue)],
        &[("Sam", Outcome::Continue), ("Kim", Outcome::Continue)],
        &[("Sam", Outcome::Continue), ("Kim", Outcome::Continue), ("Alex", Outcome::Baseline)],
    ];
    let is_refused = matches!(ending.refused, Some(Restored::Refused { verdict: RestoreVerdict::DifferentOwner, .. }));
    ending.verdicts == expected.concat()
        && is_refused
        && matches!(ending.restored, Some(Restored::Done { made: 1, there: 25 }))
}

struct Story<'a> {
    agent: &'a Agent,
    emulator: &'a Emulator,
    people: Vec<(&'static str, ObjectId)>,
    ending: Ending,
}

impl Story<'_> {
    async fn enrol(&mut self, who: &'static str, name: &str) -> Result<ObjectId, Trouble> {
        let object = self.agent.enrol(name).await?;
        let object = object.map_err(|ended| Trouble::Service(format!("nobody to protect under {name}: {ended:?}")))?;
        self.people.push((who, object));
        self.tell(&format!("{who} is protected: {name} is object {object}"));
        Ok(object)
    }

    /// Lets messages arrive that say to whom they were sent.
    fn mail(&self, to: ObjectId, count: usize) -> Result<(), Trouble> {
        for number in 0..count {
            let message = NewMessage::text(&format!("number {number}"), &format!("for {to}"), Some("news@y.test"));
            self.emulator.with(|directory| directory.deliver(to, Folder::Inbox, message)).map_err(refused)?;
        }
        Ok(())
    }

    async fn back_up_all(&mut self) -> Result<(), Trouble> {
        // Two runs within one second would take the same chain for a new one.
        for (who, object) in self.people.clone() {
            match self.agent.back_up(object).await? {
                Run::Took { verdict, chain, snapshot, full, items } => {
                    let kind = if full { "full" } else { "incremental" };
                    let time = chain.split_once('.').map_or("", |(_, time)| time);
                    self.tell(&format!(
                        "  {who}: {} -> {kind} of {items} items, snapshot {snapshot} in the chain of {time}",
                        word(verdict)
                    ));
                    self.ending.verdicts.push((who, verdict));
                }
                Run::Stopped { verdict, reasons } => {
                    self.tell(&format!("  {who}: {} -> stopped: {}", word(verdict), reasons.join("; ")));
                    self.ending.verdicts.push((who, verdict));
                }
                Run::Later { why } => self.tell(&format!("  {who}: later: {why}")),
            }
        }
        Ok(())
    }

    /// Sam loses a message for good and gets it back; the same snapshot for Alex is refused.
    async fn restore(&mut self, sam: ObjectId, alex: ObjectId) -> Result<(), Trouble> {
        let chain = self.agent.repository.chain_of(sam)?.unwrap_or_default();
        let snapshot = self.agent.repository.snapshots(&chain)?.pop().unwrap_or_default();
        for _ in 0..2 {
            // Once into the deleted items, and once out of them.
            self.emulator
                .with(|directory| {
                    let latest = directory.messages(sam)?.into_iter().max_by_key(|message| message.created);
                    let id = latest.map(|message| message.id.clone()).unwrap_or_default();
                    directory.delete_message(sam, &id)
                })
                .map_err(refused)?;
        }
        self.tell("Sam deletes a message for good");
        let done = self.agent.restore(&chain, &snapshot, sam).await?;
        self.say_restored("Sam's snapshot for Sam", &done);
        let refused = self.agent.restore(&chain, &snapshot, alex).await?;
        self.say_restored("Sam's snapshot for Alex", &refused);
        (self.ending.restored, self.ending.refused) = (Some(done), Some(refused));
        Ok(())
    }

    fn say_restored(&mut self, what: &str, restored: &Restored) {
        match restored {
            Restored::Done { made, there } => {
                self.tell(&format!("  {what}: {made} messages restored, {there} were there already"));
            }
            Restored::Refused { verdict, reasons } => {
                self.tell(&format!("  {what}: refused, {}: {}", permit_word(*verdict), reasons.join("; ")));
            }
        }
    }

    /// Holds what the chains have against what each mailbox really got.
    fn reckon(&mut self) -> Result<(), Trouble> {
        let mut rows: Vec<(String, usize, usize, usize, usize)> = Vec::new();
        let mut whose: BTreeMap<ObjectId, BTreeSet<String>> = BTreeMap::new();
        for chain in self.agent.repository.chains()? {
            let Some(last) = self.agent.repository.snapshots(&chain)?.pop() else { continue };
            let manifest = self.agent.repository.manifest(&chain, &last)?;
            let own = format!("for {}", manifest.object);
            let (mut held, mut strayed) = (0, 0);
            for folder in contents::at(&self.agent.repository, &manifest)? {
                for (id, message) in folder.messages {
                    held += 1;
                    strayed += usize::from(text_of(&message) != own);
                    whose.entry(manifest.object).or_default().insert(id);
                }
            }
            let snapshots = self.agent.repository.snapshots(&chain)?.len();
            let who = self.people.iter().find(|(_, object)| *object == manifest.object).map_or("?", |(who, _)| who);
            rows.push((who.to_owned(), snapshots, held, strayed, 0));
            self.ending.strayed += strayed;
        }
        for (who, object) in self.people.clone() {
            let kept = whose.remove(&object).unwrap_or_default();
            let missing = self.emulator.with(|directory| {
                // What the restore made came after the last snapshot.
                let all = directory.messages(object)?;
                Ok::<_, Refusal>(all.iter().filter(|message| !kept.contains(&message.id)).count())
            });
            let mut missing = missing.map_err(refused)?;
            if who == "Sam"
                && let Some(Restored::Done { made, .. }) = &self.ending.restored
            {
                missing = missing.saturating_sub(*made);
            }
            rows.iter_mut().filter(|row| row.0 == who).for_each(|row| row.4 = missing);
            self.ending.missing += missing;
        }
        self.tell("\n  whose chain   snapshots   messages   another person's   missing");
        for (who, snapshots, held, strayed, missing) in rows {
            self.tell(&format!("  {who:<11} {snapshots:>11} {held:>10} {strayed:>18} {missing:>9}"));
        }
        Ok(())
    }

    fn tell(&mut self, line: &str) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.ending.told, "{line}");
    }
}

fn text_of(message: &Value) -> &str {
    message.get("body").and_then(|body| body.get("content")).and_then(Value::as_str).unwrap_or_default()
}

fn word(verdict: Outcome) -> String {
    serde_json::to_value(verdict).ok().and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_default()
}

fn permit_word(verdict: RestoreVerdict) -> String {
    serde_json::to_value(verdict).ok().and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_default()
}

fn refused(refusal: Refusal) -> Trouble {
    Trouble::Graph(format!("the emulated directory refused: {refusal}"))
}
