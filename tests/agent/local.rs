//! whowas without its service: the same questions put to the library, at the time that the emulator's clock shows, and
//! each of them failing when it is told to.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use whowas::clock::Clock;
use whowas::domain::fact::{Addressed, Receipt, Snapshot};
use whowas::domain::id::{ObjectId, TenantId};
use whowas::domain::verdict::Policy;
use whowas::graph::auth::{Proof, SignIn};
use whowas::graph::client::{ClientOptions, GraphClient};
use whowas::graph::cloud::{Cloud, Endpoints};
use whowas::graph::emulator::{Emulator, EmulatorOptions};
use whowas::ledger::Ledger;
use whowas::service::restore::{Recipient, RestoreRequest, restore_check};
use whowas::service::{Desk, check, snapshot};
use whowas::store::Trigger;
use whowas::store::memory::MemoryStore;
use whowas::sync::{self, Context, Guard, Stop, Wanted, Widths};

use super::agent::identity::{Answer, Ask, Identity, Permit, Read, Taken};
use super::agent::story::Meanwhile;
use super::agent::trouble::Trouble;

/// A ledger in memory beside an emulator.
#[derive(Clone)]
pub struct Local {
    ledger: Ledger,
    client: Arc<GraphClient>,
    tenant: TenantId,
    emulator: Arc<Emulator>,
    /// The questions that are answered before one is lost; the answer is lost, not the question.
    pub answered: Arc<AtomicUsize>,
}

impl Local {
    pub fn beside(emulator: Arc<Emulator>) -> Self {
        let url = emulator.url();
        let endpoints = Endpoints::new(Cloud::Global, Some(&url), Some(&url)).unwrap();
        let tenant = EmulatorOptions::TENANT.parse().unwrap();
        let proof = Proof::Secret(EmulatorOptions::SECRET.to_owned().into());
        let sign_in = SignIn { tenant, client_id: EmulatorOptions::CLIENT_ID.to_owned(), proof };
        let client = Arc::new(GraphClient::new(endpoints, sign_in, ClientOptions::default()).unwrap());
        let answered = Arc::new(AtomicUsize::new(usize::MAX));
        Self { ledger: Ledger::new(MemoryStore::default()), client, tenant, emulator, answered }
    }

    fn clock(&self) -> Clock {
        Clock::new(Some(self.emulator.with(|directory| directory.now())))
    }

    pub fn desk(&self) -> Desk {
        Desk { ledger: self.ledger.clone(), tenant: self.tenant, policy: Policy::default(), clock: self.clock() }
    }

    fn context(&self) -> Context {
        let (ledger, client) = (self.ledger.clone(), self.client.clone());
        let (widths, settling, guard) = (Widths::default(), Policy::default().settling, Guard::default());
        let mapping = None;
        Context { ledger, tenant: self.tenant, client, widths, settling, guard, mapping, clock: self.clock() }
    }

    pub async fn sync(&self) {
        let wanted = Wanted { full: false, reconcile: false, trigger: Trigger::Demand };
        sync::run(&self.context(), wanted, &Stop::default(), &|_| {}).await.map(drop).unwrap();
    }

    /// The answer as it would come over the wire, unless it is lost on the way.
    fn answer<T: DeserializeOwned>(&self, answer: Value) -> Result<T, Trouble> {
        let left = self.answered.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        match left {
            Ok(_) => Ok(serde_json::from_value(answer).unwrap()),
            Err(_) => Err(Trouble::Service("the answer was lost".to_owned())),
        }
    }
}

#[async_trait]
impl Identity for Local {
    async fn check(&self, ask: &Ask, verify: bool) -> Result<Answer, Trouble> {
        let request: check::CheckRequest = serde_json::from_value(serde_json::to_value(ask).unwrap()).unwrap();
        let (desk, ask) = (self.desk(), request.into());
        let answer = if verify {
            check::check_live(&desk, &self.context(), &ask).await.unwrap()
        } else {
            check::check(&desk, &ask, whowas::ledger::KnownAt::Now).unwrap()
        };
        self.answer(serde_json::to_value(answer).unwrap())
    }

    async fn record(&self, taken: &Taken) -> Result<(), Trouble> {
        let Taken { chain, snapshot, from, until, object, mailbox } = taken.clone();
        let (chain, id, addressed) = (chain.parse().unwrap(), snapshot.parse().unwrap(), Addressed::Object(object));
        snapshot::add(&self.desk(), Snapshot { chain, id, from, until, addressed, mailbox }).unwrap();
        self.answer(Value::Null)
    }

    async fn receipt(&self, chain: &str, snapshot: &str, read: &Read) -> Result<(), Trouble> {
        let Read { object, mailbox, object_end, mailbox_end } = read.clone();
        let (chain, snapshot, object_end) = (chain.parse().unwrap(), snapshot.parse().unwrap(), Some(object_end));
        snapshot::receipt(&self.desk(), Receipt { chain, snapshot, object, mailbox, object_end, mailbox_end }).unwrap();
        self.answer(Value::Null)
    }

    async fn may_restore(&self, chain: &str, snapshot: &str, to: ObjectId) -> Result<Permit, Trouble> {
        let (chain, snapshot, to) = (chain.parse().unwrap(), snapshot.parse().unwrap(), Recipient::Object(to));
        let answer = restore_check(&self.desk(), &RestoreRequest { chain, snapshot, to }).unwrap();
        self.answer(json!(answer))
    }
}

#[async_trait]
impl Meanwhile for Local {
    async fn night(&self) -> Result<(), Trouble> {
        self.sync().await;
        self.emulator.advance(Duration::from_secs(3_600));
        Ok(())
    }
}
