//! The live read: asks the directory at the moment of a question, and records what it says as facts.
//!
//! A whole night's asks are read together: each object and name once, twenty to a request, a few requests at a time.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time;

use crate::domain::erase;
use crate::domain::fact::{Fact, Reading, Source, Vacant};
use crate::domain::id::ObjectId;
use crate::domain::name::{Name, NameKind, Namespace};
use crate::domain::time::Instant;
use crate::domain::verdict::{Ask, Policy};
use crate::graph::client::{ADDRESSEE_IDS_MAX, UserKey};
use crate::graph::error::GraphError;
use crate::graph::facts::{self as graph, addressee_fact};
use crate::graph::wire::addressee::Collection;
use crate::graph::wire::batch::BATCH_MAX;
use crate::ledger::{Batch, KnownAt, Ledger};

use super::absent::{read_addressees, read_deleted, whole};
use super::{Context, SyncError, refuse_unreadable};

/// How many requests are under way at once. Graph throttles by the cost of all of them, so more would only wait.
const AT_ONCE: usize = 4;

/// For each ask when the directory was read for it, or why it could not be read.
pub type LiveReads = Vec<Result<LiveRead, Arc<SyncError>>>;

/// When the directory was read.
#[derive(Clone, Copy, Debug)]
pub struct LiveRead {
    /// By the server's clock, which dates what was read.
    at: Instant,
    taken: time::Instant,
}

impl LiveRead {
    fn at(at: Instant) -> Self {
        Self { at, taken: time::Instant::now() }
    }

    /// What time it is now by the server's clock, in its whole seconds: other asks of the same night may have had to wait for
    /// the directory since.
    pub fn now(&self) -> Instant {
        self.at.plus(Duration::from_secs(self.taken.elapsed().as_secs()))
    }
}

/// What is asked of the directory.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Key {
    User(ObjectId),
    /// A user that was not live at that time.
    Deleted(ObjectId, Instant),
    /// Only a user principal name is a key of the directory; an address is read through whoever may hold it.
    Upn(Name),
    Addressee(Collection, ObjectId),
    Address(Collection, Name),
}

/// What the directory said, and when; at no time if it may not be asked.
type Told = Result<(Option<LiveRead>, Vec<Fact>), Arc<SyncError>>;

/// Reads for each ask the name asked, the object asked, the chain's object and everyone who may hold the name, and appends
/// what the directory says of them. If no user holds the name, the groups and the contacts are asked for it too.
///
/// All of it takes no longer than `patience`: what the directory has not answered by then is an error of the asks that need it.
///
/// # Errors
/// If the ledger fails. That the directory cannot be reached or believed is the error of each ask that it concerns; what it
/// said of the others is kept.
pub async fn read_live(
    context: &Context,
    asks: &[Ask],
    policy: &Policy,
    patience: Duration,
) -> Result<LiveReads, SyncError> {
    let limit = Limit { patience, deadline: time::Instant::now() + patience };
    let mut wanted = wanted(context, asks, policy).await?;
    let mut told = tell(context, wanted.iter().flatten().cloned().collect(), limit).await?;
    // Who is not live may be in the recycle bin.
    let absent_at = |key: &Key| match told.get(key) {
        Some(Ok((Some(read), facts))) if facts.is_empty() => Some(read.at),
        _ => None,
    };
    for keys in &mut wanted {
        let absent = keys.iter().filter_map(|key| match key {
            Key::User(object) => Some(Key::Deleted(*object, absent_at(key)?)),
            _ => None,
        });
        let absent: Vec<Key> = absent.collect();
        keys.extend(absent);
    }
    let new = wanted.iter().flatten().filter(|key| !told.contains_key(key)).cloned().collect();
    told.extend(tell(context, new, limit).await?);
    for collection in Collection::ALL {
        for (ask, keys) in asks.iter().zip(&mut wanted) {
            let name = ask.name.as_ref().filter(|name| ask.kind != NameKind::Upn && may_be_asked(name));
            if let Some(name) = name.filter(|name| !is_answered(name, keys, &told)) {
                keys.push(Key::Address(collection, name.clone()));
            }
        }
        let new = wanted.iter().flatten().filter(|key| !told.contains_key(key)).cloned().collect();
        told.extend(tell(context, new, limit).await?);
    }
    let mut said = HashSet::new();
    let keys = wanted.iter().flatten().filter(|key| said.insert(*key));
    let facts = keys.filter_map(|key| told.get(key)).flatten().flat_map(|(_, facts)| facts.iter().cloned()).collect();
    context.append(Batch { facts, ..Batch::default() }).await?;
    let now = LiveRead::at(context.clock.now());
    let at = |keys: &Vec<Key>| {
        let reads = keys.iter().filter_map(|key| told.get(key)).map(|told| match told {
            Ok((read, _)) => Ok(*read),
            Err(error) => Err(Arc::clone(error)),
        });
        let reads: Vec<Option<LiveRead>> = reads.collect::<Result<_, _>>()?;
        Ok(reads.into_iter().flatten().max_by_key(|read| read.at).unwrap_or(now))
    };
    Ok(wanted.iter().map(at).collect())
}

/// What to read for each ask at first.
async fn wanted(context: &Context, asks: &[Ask], policy: &Policy) -> Result<Vec<Vec<Key>>, SyncError> {
    let (asks, policy) = (asks.to_vec(), *policy);
    let sort = move |ledger: &Ledger, tenant| {
        let view = ledger.view(tenant, KnownAt::Now)?;
        let mut wanted = Vec::with_capacity(asks.len());
        for ask in &asks {
            let upn = ask.name.iter().filter(|name| ask.kind != NameKind::Smtp && may_be_asked(name));
            let mut keys: Vec<Key> = upn.map(|name| Key::Upn(name.clone())).collect();
            for object in ledger.objects_to_read(tenant, ask, &policy)? {
                keys.push(match Collection::of(view.timeline(object)?.kind()) {
                    Some(collection) => Key::Addressee(collection, object),
                    None => Key::User(object),
                });
            }
            wanted.push(keys);
        }
        Ok(wanted)
    };
    context.blocking(sort).await
}

/// Whether the directory can know a name as it is spelled. It knows none of those that stand here for an erased one, and that nobody has
/// such a name says nothing of the name that it stands for.
fn may_be_asked(name: &Name) -> bool {
    name.spelling().contains('@') && !erase::is_spelled(name)
}

/// Whether nobody under this spelling is nobody under the name. The directory is asked for the spelling; that it takes for equal what is
/// equal here (a character that is not shown, a wide letter, a domain in another form) is known of ASCII's two cases alone.
fn tells_vacancy(name: &Name) -> bool {
    name.spelling().is_ascii()
}

/// Whether what was told for an ask shows an object that is live under the address, so that nobody else can hold it, or could
/// not be read. A deleted object has only its last names left, and a user principal name keeps no address from anybody.
fn is_answered(name: &Name, keys: &[Key], told: &HashMap<Key, Told>) -> bool {
    let holds = |(space, held): &(Namespace, &Name)| *space == Namespace::Smtp && held.key() == name.key();
    let is_live_under = |fact: &Fact| matches!(fact, Fact::Seen(_)) && fact.names().iter().any(holds);
    keys.iter().filter_map(|key| told.get(key)).any(|told| match told {
        Ok((_, facts)) => facts.iter().any(is_live_under),
        Err(_) => true,
    })
}

/// How long the directory has to answer.
#[derive(Clone, Copy)]
struct Limit {
    patience: Duration,
    deadline: time::Instant,
}

/// Asks the directory, in as few requests as it takes and a few of them at once.
async fn tell(context: &Context, keys: HashSet<Key>, limit: Limit) -> Result<HashMap<Key, Told>, SyncError> {
    let gate = Arc::new(Semaphore::new(AT_ONCE));
    let mut requests = JoinSet::new();
    for part in parts(keys) {
        let (context, gate) = (context.clone(), Arc::clone(&gate));
        requests.spawn(async move {
            let asked = async {
                // It is closed by nobody, and without its permit the request would only be made sooner.
                let _permit = gate.acquire_owned().await;
                match part.first() {
                    Some(Key::User(_) | Key::Upn(_)) => read_users(&context, &part).await,
                    Some(Key::Deleted(object, since)) => {
                        read_bin(&context, *object, *since).await.map(|told| vec![Ok(told)])
                    }
                    Some(Key::Addressee(collection, _)) => read_known_addressees(&context, *collection, &part).await,
                    Some(Key::Address(collection, name)) => {
                        read_address(&context, *collection, name).await.map(|told| vec![Ok(told)])
                    }
                    None => Ok(Vec::new()),
                }
            };
            let told = time::timeout_at(limit.deadline, asked).await;
            let told = told.unwrap_or(Err(SyncError::Unanswered { patience: limit.patience }));
            // A request that fails as a whole fails for everyone in it.
            let told = told.unwrap_or_else(|error| {
                let error = Arc::new(error);
                part.iter().map(|_| Err(Arc::clone(&error))).collect()
            });
            part.into_iter().zip(told).collect::<Vec<_>>()
        });
    }
    let mut told = HashMap::new();
    while let Some(done) = requests.join_next().await {
        told.extend(done?);
    }
    Ok(told)
}

/// What can be asked in one request each.
fn parts(keys: HashSet<Key>) -> Vec<Vec<Key>> {
    let (mut users, mut addressees, mut single) = (Vec::new(), HashMap::<Collection, Vec<Key>>::new(), Vec::new());
    for key in keys {
        match key {
            Key::User(_) | Key::Upn(_) => users.push(key),
            Key::Addressee(collection, _) => addressees.entry(collection).or_default().push(key),
            Key::Deleted(..) | Key::Address(..) => single.push(vec![key]),
        }
    }
    let cut = |keys: Vec<Key>, most: usize| keys.chunks(most).map(<[Key]>::to_vec).collect::<Vec<_>>();
    let addressees = addressees.into_values().flat_map(|keys| cut(keys, ADDRESSEE_IDS_MAX));
    cut(users, BATCH_MAX).into_iter().chain(addressees).chain(single).collect()
}

/// Reads users by name and by id.
async fn read_users(context: &Context, part: &[Key]) -> Result<Vec<Told>, SyncError> {
    let keys: Vec<UserKey<'_>> = part
        .iter()
        .filter_map(|key| match key {
            Key::User(object) => Some(UserKey::Id(*object)),
            Key::Upn(name) => Some(UserKey::Upn(name.spelling())),
            Key::Deleted(..) | Key::Addressee(..) | Key::Address(..) => None,
        })
        .collect();
    let answers = match keys.as_slice() {
        [one] => vec![context.client.user(*one).await],
        several => context.client.batch_users(several).await?,
    };
    let mut told = Vec::with_capacity(part.len());
    for (key, answer) in part.iter().zip(answers) {
        let read = || {
            let answer = answer?;
            context.check_skew(answer.at)?;
            let reading = reading(context, answer.at);
            let facts = match (answer.value, key) {
                (Some(user), _) => graph::facts(&user, reading, context.client.attributes()),
                (None, Key::Upn(name)) if tells_vacancy(name) => {
                    vec![Fact::Vacant(Vacant { name: name.clone(), reading })]
                }
                // It is not live; the recycle bin is asked next for an object.
                (None, _) => Vec::new(),
            };
            Ok::<_, SyncError>((Some(LiveRead::at(answer.at)), facts))
        };
        told.push(read().map_err(Arc::new));
    }
    Ok(told)
}

/// Reads what the recycle bin says of a user that is not live.
async fn read_bin(
    context: &Context,
    object: ObjectId,
    since: Instant,
) -> Result<(Option<LiveRead>, Vec<Fact>), SyncError> {
    let (at, fact) = read_deleted(context, object, Source::Live, since).await?;
    Ok((Some(LiveRead::at(at)), vec![fact]))
}

/// Reads groups or contacts that are known by their ids.
async fn read_known_addressees(
    context: &Context,
    collection: Collection,
    part: &[Key],
) -> Result<Vec<Told>, SyncError> {
    let object = |key: &Key| if let Key::Addressee(_, object) = key { Some(*object) } else { None };
    let objects: Vec<ObjectId> = part.iter().filter_map(object).collect();
    let (at, facts) = read_addressees(context, collection, &objects, Source::Live).await?;
    // They come in the order of the ids.
    let read = LiveRead::at(at.unwrap_or_else(|| context.clock.now()));
    Ok(facts.into_iter().map(|fact| Ok((Some(read), vec![fact]))).collect())
}

/// Reads the group or the contact that holds an address. Without the permission nothing is learnt, as in a reconcile.
async fn read_address(
    context: &Context,
    collection: Collection,
    name: &Name,
) -> Result<(Option<LiveRead>, Vec<Fact>), SyncError> {
    let page = match context.client.addressees_by_address(collection, name.spelling()).await {
        Ok(page) => whole(context, collection, page).await?,
        Err(GraphError::PermissionDenied { .. }) => return Ok((None, Vec::new())),
        Err(error) => return Err(error.into()),
    };
    context.check_skew(page.at)?;
    refuse_unreadable(&page.rejected)?;
    let reading = reading(context, page.at);
    let facts = page.items.iter().map(|addressee| addressee_fact(addressee, reading)).collect();
    Ok((Some(LiveRead::at(page.at)), facts))
}

fn reading(context: &Context, at: Instant) -> Reading {
    Reading { at, lag: context.widths.read_lag, source: Source::Live, unchanged_since: None }
}
