//! The undisturbed twin: another ledger that reads the calm directories, in this process.

use std::path::Path;
use std::sync::Arc;

use whowas::clock::Clock;
use whowas::config::{Config, TenantConfig};
use whowas::domain::time::Instant;
use whowas::graph::client::GraphClient;
use whowas::graph::emulator::EmulatorOptions;
use whowas::ledger::Ledger;
use whowas::service::moments;
use whowas::store::memory::MemoryStore;
use whowas::store::{Outcome, Trigger};
use whowas::sync::{self, Context, Stop, Wanted};

use super::place::Place;

pub struct Twin {
    pub ledger: Ledger,
    tenants: Vec<(TenantConfig, Arc<GraphClient>)>,
}

impl Twin {
    pub fn new(places: &[Place]) -> Self {
        let tenants = places.iter().map(|place| {
            let config = Config::parse(&place.config(&place.calm), Path::new("the twin's")).unwrap();
            let tenant = config.tenants.into_iter().next().unwrap();
            let secret = |_: &str| Some(EmulatorOptions::SECRET.to_owned());
            let client = tenant.client(secret, moments(Clock::default())).unwrap();
            (tenant, Arc::new(client))
        });
        Self { ledger: Ledger::new(MemoryStore::new()), tenants: tenants.collect() }
    }

    /// A round of every tenant at this time. It cannot fail.
    pub async fn read(&self, now: Instant, reconcile: bool) {
        let wanted = Wanted { full: false, reconcile, trigger: Trigger::Schedule };
        let mut rounds = tokio::task::JoinSet::new();
        for (tenant, client) in &self.tenants {
            let context = Context {
                ledger: self.ledger.clone(),
                tenant: tenant.id,
                client: client.clone(),
                widths: tenant.widths(),
                settling: tenant.policy().settling,
                guard: tenant.guard(),
                mapping: None,
                clock: Clock::new(Some(now)),
            };
            rounds.spawn(async move {
                let run = sync::run(&context, wanted, &Stop::default(), &|_| {}).await.unwrap();
                assert_eq!(run.outcome, Outcome::Completed, "{run:?}");
            });
        }
        rounds.join_all().await;
    }
}
