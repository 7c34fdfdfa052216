//! Runs of the agent beside a ledger in memory, where every answer can be lost and the directory can do anything.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use whowas::domain::id::ObjectId;
use whowas::domain::restore::RestoreVerdict;
use whowas::domain::verdict::Outcome;
use whowas::graph::emulator::{
    Emulator, EmulatorOptions, Folder, LICENCE_GRACE, NewMessage, NewUser, Quirk, QuirkName,
};
use whowas::service::snapshot;

use super::agent::backup::Run;
use super::agent::graph::{Graph, SignIn};
use super::agent::repository::Repository;
use super::agent::restore::Restored;
use super::agent::story;
use super::agent::{Agent, contents};
use super::local::Local;

const MINUTE: Duration = Duration::from_secs(60);

/// An emulator, a ledger in memory, and an agent between them.
struct Place {
    emulator: Arc<Emulator>,
    whowas: Local,
    agent: Agent,
    folder: TempDir,
}

impl Place {
    async fn new() -> Self {
        let start = EmulatorOptions::default().directory.now();
        let directory = story::directory(start).unwrap();
        let emulator = Arc::new(Emulator::start(EmulatorOptions { directory, ..EmulatorOptions::default() }).unwrap());
        let folder = tempfile::tempdir().unwrap();
        let whowas = Local::beside(emulator.clone());
        let agent = agent(&emulator, &whowas, folder.path());
        let place = Self { emulator, whowas, agent, folder };
        place.whowas.sync().await;
        place
    }

    /// A mailbox with so many messages, and the object that it is.
    fn mailbox(&self, messages: usize) -> ObjectId {
        let sam = self.emulator.with(|directory| directory.user_by_upn(story::NAME).unwrap().id);
        self.mail(sam, messages);
        sam
    }

    fn mail(&self, to: ObjectId, messages: usize) {
        for number in 0..messages {
            let message = NewMessage::text(&format!("number {number}"), "text", None);
            self.emulator.with(|directory| directory.deliver(to, Folder::Inbox, message)).unwrap();
        }
    }

    /// A run that takes a snapshot.
    async fn took(&self, object: ObjectId) -> (Outcome, String, String, bool, usize) {
        match self.agent.back_up(object).await.unwrap() {
            Run::Took { verdict, chain, snapshot, full, items } => (verdict, chain, snapshot, full, items),
            other => panic!("no snapshot: {other:?}"),
        }
    }

    fn chains(&self) -> Vec<String> {
        self.agent.repository.chains().unwrap()
    }

    /// The subjects that a chain's latest snapshot has.
    fn held(&self, chain: &str) -> usize {
        let last = self.agent.repository.snapshots(chain).unwrap().pop().unwrap();
        let manifest = self.agent.repository.manifest(chain, &last).unwrap();
        contents::at(&self.agent.repository, &manifest).unwrap().iter().map(|folder| folder.messages.len()).sum()
    }

    /// The snapshots of a chain that whowas knows: id, and whether the receipt is there.
    fn known(&self, chain: &str) -> Vec<(String, bool)> {
        let wanted = snapshot::Wanted::Chain(chain.parse().unwrap());
        let listed = snapshot::list(&self.whowas.desk(), &wanted, None, 100).unwrap();
        listed.items.iter().map(|item| (item.snapshot.to_string(), item.receipt.is_some())).collect()
    }
}

fn agent(emulator: &Arc<Emulator>, whowas: &Local, folder: &Path) -> Agent {
    let sign_in = SignIn {
        tenant: EmulatorOptions::TENANT.to_owned(),
        client_id: EmulatorOptions::CLIENT_ID.to_owned(),
        secret: EmulatorOptions::SECRET.to_owned(),
    };
    let clock = emulator.clone();
    Agent {
        graph: Graph::new(&emulator.url(), &emulator.url(), sign_in).unwrap(),
        identity: Box::new(whowas.clone()),
        repository: Repository::open(folder).unwrap(),
        // Every look at the clock takes a second, so that no two runs are at the same time.
        clock: Arc::new(move || {
            clock.advance(Duration::from_secs(1));
            clock.with(|directory| directory.now())
        }),
    }
}

#[tokio::test]
async fn nobody_gets_anybody_elses_mail_over_a_rename_and_a_reuse() {
    let place = Place::new().await;
    let ending = story::play(&place.agent, &place.emulator, &place.whowas).await.unwrap();
    assert_eq!((ending.strayed, ending.missing), (0, 0), "{}", ending.told);
    assert!(story::is_as_expected(&ending), "{:?}\n{}", ending.verdicts, ending.told);
    for file in std::fs::read_dir(place.folder.path().join("chains")).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        assert!(!name.contains('@'), "a chain is no one's name: {name}");
    }
}

/// However many answers arrive before the service is gone, the next run finishes what was begun: nothing twice, nothing lost.
#[tokio::test]
async fn a_run_that_breaks_off_at_any_answer_is_finished_by_the_next() {
    for answers in 0..4 {
        let place = Place::new().await;
        let sam = place.mailbox(3);
        place.whowas.answered.store(answers, Ordering::SeqCst);
        let broken = place.agent.back_up(sam).await;
        assert_eq!(broken.is_err(), answers < 3, "{answers}: {broken:?}");
        place.whowas.answered.store(usize::MAX, Ordering::SeqCst);
        place.mail(sam, 2);
        let (verdict, chain, snapshot, ..) = place.took(sam).await;
        let begun = answers >= 1;
        assert_eq!(verdict, if begun { Outcome::Continue } else { Outcome::Baseline }, "{answers}");
        assert_eq!(snapshot, if begun { "0002" } else { "0001" }, "{answers}");
        assert_eq!((place.chains(), place.held(&chain)), (vec![chain.clone()], 5), "{answers}");
        let known = place.known(&chain);
        assert!(known.iter().all(|(_, receipted)| *receipted), "{answers}: {known:?}");
        assert_eq!(known.len(), if begun { 2 } else { 1 }, "{answers}: {known:?}");
        assert_eq!(place.agent.repository.unrecorded().unwrap().len(), 0, "{answers}");
    }
}

#[tokio::test]
async fn what_a_crash_left_unfinished_is_thrown_away() {
    let place = Place::new().await;
    let sam = place.mailbox(3);
    let (_, chain, ..) = place.took(sam).await;
    // As if the process had died in the middle of the next one, and once after the rename without telling anybody.
    let left = place.folder.path().join("chains").join(&chain).join("unfinished");
    std::fs::create_dir_all(&left).unwrap();
    std::fs::write(left.join("page-000001.json"), "[{\"id\":\"half").unwrap();
    std::fs::remove_file(place.folder.path().join("chains").join(&chain).join("0001/recorded")).unwrap();
    place.mail(sam, 1);
    let (verdict, again, snapshot, full, items) = place.took(sam).await;
    assert_eq!((verdict, &again, snapshot.as_str(), full, items), (Outcome::Continue, &chain, "0002", false, 1));
    assert!(!left.exists());
    assert_eq!(place.known(&chain), [("0001".to_owned(), true), ("0002".to_owned(), true)]);
}

#[tokio::test]
async fn another_mailbox_behind_the_same_person_begins_a_new_chain() {
    let place = Place::new().await;
    let sam = place.mailbox(3);
    let (_, first, ..) = place.took(sam).await;
    let licence = |licensed| place.emulator.with(|directory| directory.set_licensed(sam, licensed)).unwrap();
    licence(false);
    place.whowas.sync().await;
    match place.agent.back_up(sam).await.unwrap() {
        Run::Stopped { verdict: Outcome::Frozen, reasons } => assert!(!reasons.is_empty()),
        other => panic!("without a licence there is nothing to read: {other:?}"),
    }
    place.emulator.advance(LICENCE_GRACE + MINUTE);
    licence(true);
    place.mail(sam, 1);
    place.whowas.sync().await;
    let (verdict, second, snapshot, full, items) = place.took(sam).await;
    assert_eq!((verdict, snapshot.as_str(), full, items), (Outcome::MailboxReplaced, "0001", true, 1));
    assert_ne!(first, second);
    assert_eq!((place.held(&first), place.held(&second)), (3, 1));
    assert_eq!(place.took(sam).await.1, second, "and goes on there");
}

#[tokio::test]
async fn a_forgotten_link_is_asked_about_and_then_read_anew_in_the_same_chain() {
    let place = Place::new().await;
    let sam = place.mailbox(3);
    let (_, chain, ..) = place.took(sam).await;
    place.mail(sam, 1);
    let path = "/messages/delta";
    place.emulator.set_quirks([Quirk::new(QuirkName::DeltaTokenExpired).path(path)]);
    let (verdict, again, snapshot, full, items) = place.took(sam).await;
    assert_eq!((verdict, again, snapshot.as_str(), full, items), (Outcome::Continue, chain.clone(), "0002", true, 4));
    assert_eq!(place.held(&chain), 4);
    let asked = place.emulator.requests().last;
    let refused = asked.iter().position(|seen| seen.status == 410).unwrap();
    let rest = asked.iter().skip(refused).map(|seen| seen.target.as_str()).collect::<Vec<_>>();
    let live = rest.iter().position(|target| target.contains("userPrincipalName")).expect("whowas reads the directory");
    let anew = rest.iter().skip(1).position(|target| target.ends_with("/messages/delta")).unwrap() + 1;
    assert!(live < anew, "whose mailbox it is comes before its mail: {rest:?}");
}

#[tokio::test]
async fn a_mailbox_that_changes_under_the_run_is_in_no_chain() {
    let place = Place::new().await;
    let sam = place.mailbox(3);
    let emulator = place.emulator.clone();
    let clock = place.agent.clock.clone();
    // The licence goes and comes back long after, between the start of the run and its end.
    let looks = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let agent = Agent {
        clock: Arc::new(move || {
            if looks.fetch_add(1, Ordering::SeqCst) == 1 {
                emulator
                    .with(|directory| {
                        directory.set_licensed(sam, false)?;
                        directory.advance(LICENCE_GRACE + MINUTE);
                        directory.set_licensed(sam, true)
                    })
                    .unwrap();
            }
            clock()
        }),
        ..place.agent
    };
    match agent.back_up(sam).await.unwrap() {
        Run::Later { why } => assert!(why.contains("another mailbox"), "{why}"),
        other => panic!("the mailbox is another one: {other:?}"),
    }
    for chain in agent.repository.chains().unwrap() {
        assert_eq!(agent.repository.snapshots(&chain).unwrap(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_directory_that_cannot_be_read_is_no_reason_to_guess() {
    let place = Place::new().await;
    let sam = place.mailbox(3);
    place.took(sam).await;
    // Eight days without a sync: the proof that Sam lives is too old, and the directory does not answer.
    place.emulator.advance(Duration::from_secs(8 * 86_400));
    // The third request about Sam is the one that whowas sends.
    let about_sam = sam.to_string();
    place.emulator.set_quirks([Quirk::new(QuirkName::Forbidden).path(&about_sam).every(3).times(1)]);
    match place.agent.back_up(sam).await.unwrap() {
        Run::Later { why } => assert!(!why.is_empty()),
        other => panic!("nothing proves whose mailbox it is: {other:?}"),
    }
    let mail =
        |place: &Place| place.emulator.requests().last.iter().filter(|seen| seen.target.contains("/messages")).count();
    let read = mail(&place);
    assert_eq!(place.took(sam).await.0, Outcome::Continue);
    assert!(mail(&place) > read);
}

#[tokio::test]
async fn a_purged_person_is_stopped_and_their_namesake_is_not_touched() {
    let place = Place::new().await;
    let sam = place.mailbox(3);
    let (_, chain, ..) = place.took(sam).await;
    let namesake = place.emulator.with(|directory| {
        directory.delete(sam).unwrap();
        directory.purge(sam).unwrap();
        directory.create_user(NewUser::mailbox(story::NAME)).unwrap()
    });
    place.mail(namesake, 2);
    place.whowas.sync().await;
    match place.agent.back_up(sam).await.unwrap() {
        Run::Stopped { verdict: Outcome::Frozen, .. } => {}
        other => panic!("gone is gone: {other:?}"),
    }
    assert_eq!(place.held(&chain), 3);
    let asked: Vec<String> = place.emulator.requests().last.iter().map(|seen| seen.target.clone()).collect();
    let by_name = asked.iter().filter(|target| target.contains("sam.hill") && target.contains("/messages")).count();
    assert_eq!(by_name, 0, "no mailbox is ever opened by name");
    let refused = place.agent.restore(&chain, "0001", namesake).await.unwrap();
    assert!(matches!(refused, Restored::Refused { verdict: RestoreVerdict::DifferentOwner, .. }), "{refused:?}");
}

#[tokio::test]
async fn a_restore_brings_back_what_is_missing_as_it_was_and_nothing_twice() {
    let place = Place::new().await;
    let sam = place.mailbox(2);
    let read = |place: &Place| -> Vec<(Value, bool, String)> {
        place.emulator.with(|directory| {
            let mut all: Vec<_> = directory
                .messages(sam)
                .unwrap()
                .iter()
                .map(|message| (message.content["subject"].clone(), message.draft, message.received.to_string()))
                .collect();
            all.sort_by_key(|one| one.0.to_string());
            all
        })
    };
    let before = read(&place);
    let (_, chain, snapshot, ..) = place.took(sam).await;
    for _ in 0..4 {
        place.emulator.with(|directory| {
            let id = directory.messages(sam).unwrap().first().map(|message| message.id.clone()).unwrap();
            directory.delete_message(sam, &id).unwrap();
        });
    }
    assert_eq!(read(&place).len(), 0);
    place.emulator.advance(MINUTE);
    for (made, there) in [(2, 0), (0, 2)] {
        match place.agent.restore(&chain, &snapshot, sam).await.unwrap() {
            Restored::Done { made: really, there: already } => assert_eq!((really, already), (made, there)),
            other @ Restored::Refused { .. } => panic!("Sam's own mail: {other:?}"),
        }
    }
    assert_eq!(read(&place), before);
}

#[tokio::test]
async fn what_the_agent_records_says_by_which_id_and_which_mailbox() {
    let place = Place::new().await;
    let sam = place.mailbox(1);
    let (_, chain, id, ..) = place.took(sam).await;
    let (chain, id) = (chain.parse().unwrap(), id.parse().unwrap());
    let told = snapshot::list(&place.whowas.desk(), &snapshot::Wanted::Chain(chain), None, 10).unwrap();
    let told = told.items.iter().find(|item| item.snapshot == id).unwrap();
    assert_eq!(told.attribution.owner, Some(sam));
    let mailbox = place.emulator.with(|directory| directory.mailbox_id(sam));
    assert!(mailbox.is_some());
    assert_eq!(told.mailbox, mailbox);
    assert!(matches!(&told.addressed, snapshot::AddressedPart::Object { object } if *object == sam));
}
