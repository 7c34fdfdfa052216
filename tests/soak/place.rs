//! One tenant: its directory twice, with the same history. One misbehaves, the other is calm.

use whowas::domain::id::TenantId;
use whowas::domain::time::Instant;
use whowas::graph::emulator::{Directory, Emulator, EmulatorOptions};

pub const DOMAIN: &str = "x.test";
/// So small that every enumeration has several pages.
const PAGE: usize = 17;

pub struct Place {
    pub id: TenantId,
    pub alias: String,
    pub hostile: Emulator,
    pub calm: Emulator,
    /// What its configuration has beside how to sign in.
    pub settings: String,
}

impl Place {
    /// A directory whose users have been there since `start`.
    pub fn new(number: usize, users: usize, seed: u64, start: Instant) -> Self {
        let id = format!("{}{number:04x}", &EmulatorOptions::TENANT[..32]);
        let emulator = || {
            let mut directory = Directory::new(&format!("t{number}.onmicrosoft.com"), start, seed ^ number as u64);
            directory.seed_users(users, DOMAIN).unwrap();
            let options =
                EmulatorOptions { tenant: id.clone(), page_size: PAGE, directory, ..EmulatorOptions::default() };
            Emulator::start(options).unwrap()
        };
        // Every third tenant is one whose audit log may be read.
        let audits = number.is_multiple_of(3);
        Self {
            hostile: emulator(),
            calm: emulator(),
            id: id.parse().unwrap(),
            alias: format!("t{number}"),
            // A hundred users change more than a guard made for thousands lets pass.
            settings: format!(
                "audits = {audits}\nretry_attempts = 3\nretry_base = \"5ms\"\nsync_every = \"1s\"\n\
                 guard = {{ removals = 100000, renames = 100000, takeovers = 100000, percent = 100 }}\n"
            ),
        }
    }

    /// The tenant's part of `whowas.toml`, which leads to one of its directories.
    pub fn config(&self, emulator: &Emulator) -> String {
        let (url, client) = (emulator.url(), EmulatorOptions::CLIENT_ID);
        format!(
            "[[tenant]]\nid = \"{}\"\nalias = \"{}\"\nclient_id = \"{client}\"\ncredential = {{ secret_env = \"{SECRET}\" }}\n\
             graph_url = \"{url}\"\nlogin_url = \"{url}\"\n{}\n",
            self.id, self.alias, self.settings
        )
    }

    /// It is so late in both directories.
    pub fn set_now(&self, now: Instant) {
        for emulator in [&self.hostile, &self.calm] {
            emulator.set_now(now).unwrap();
        }
    }
}

/// The variable that holds the application's secret.
pub const SECRET: &str = "WHOWAS_SOAK_SECRET";
