//! `init`: a commented configuration to fill in.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

use super::error::{CliError, Exit};
use super::output;

/// The file that `init` writes.
const TEMPLATE: &str = r#"# whowas: identity ledger for Microsoft 365 backup.
# Lengths of time are written like 30s, 15m, 24h, 7d.

[ledger]
path = "whowas-data"                    # relative to this file
# keys = "whowas-data.keys"               # the keys that sign checkpoints; keep them out of copies of the ledger
# key_file = "ledger.key"               # encrypts the ledger: `openssl rand -hex 32 > ledger.key`; keep it out of copies too
# cache_mib = 128                       # what the storage engine may keep in memory; it takes about twice as much. A service: 8
# resident_mib = 384                    # what a service may take for copies of the records that it reads most; 0: none

[server]                                # what `whowas serve` does
# listen = "127.0.0.1:8787"             # beyond loopback it needs tls_cert and tls_key, or behind = "proxy"
# tls_cert = "server.pem"               # the certificate chain, relative to this file
# tls_key = "server.key"
# behind = "proxy"                      # TLS ends at a proxy before the service
# requests_per_second = 1000            # how many a token may make in the long run
# burst = 4000                          # and how many at once

[[tenant]]
id = "00000000-0000-0000-0000-000000000000"     # Entra admin center > Overview > Tenant ID
alias = "contoso"                       # a short name for --tenant
cloud = "global"                        # or us-gov, us-gov-high, china
client_id = ""                          # App registrations > your application > Application (client) ID
credential = { secret_env = "WHOWAS_SECRET" }   # or secret_file = "path", certificate = "path.pem" with key = "path.pem",
                                        # federated_token_file = "path", managed_identity = true
# The application needs the Graph permission User.Read.All (application, with admin consent). With GroupMember.Read.All too
# it sees that an address passed to a group, with OrgContact.Read.All that it passed to a mail contact.
# docs/PERMISSIONS.md tells more; `whowas doctor` looks at all of it.

# sync_every = "15m"                    # how often `whowas serve` reads the directory
# reconcile_every = "24h"               # and how often the listings too, which show what the delta feed misses
# audits = true                         # read the audit log too: needs AuditLog.Read.All, Directory.Read.All and Entra ID P1 or P2
# audit_lag = "12h"                     # how late the audit log may still speak
# lag = "5m"                            # directory replication: a round proves everything up to its start less this
# read_lag = "30s"                      # width of a live read, and how long later asks may rest on it
# propagation = "15m"                   # Entra to Exchange: a name may still open the old mailbox that long
# name_max_age = "0s"                   # an ask by name accepts evidence this old; 0s: only a live read will do
# id_max_age = "7d"                     # an ask by object id accepts a proof of life this old
# max_skew = "5m"                       # how far the directory's clock and ours may be apart
# guard = { removals = 500, renames = 1000, takeovers = 50, percent = 10 }     # a round that changes more is held
# announce = ["old.example=new.example"]        # changes of domain whose renames are not held
# retry_attempts = 8                    # how often a request is made before it counts as failed
# retry_base = "1s"                     # the first wait in between where Graph names none; it doubles from then on
# ca_file = "proxy-ca.pem"              # further root certificates, beside the system's
# graph_url = "https://graph.microsoft.com"     # only for private endpoints and the emulator
# login_url = "https://login.microsoftonline.com"

# Who is protected; without rules everyone is. The first rule that matches and does not exclude decides (those with a `priority`
# first, the smallest before all). `whowas mapping preview whowas.toml` shows whom it concerns before a sync applies it.
# Groups need GroupMember.Read.All.
# [[tenant.mapping]]
# name = "staff"
# match = { any_of = [{ group = "00000000-0000-0000-0000-000000000000" }, { attribute = "department", equals = "Sales" }, { domain = "contoso.com" }] }
# exclude = { user_type = "Guest" }
# labels = { profile = "gold", region = "eu" }
"#;

pub fn init(file: &Path) -> Result<Exit, CliError> {
    let name = file.display();
    let mut created = match OpenOptions::new().write(true).create_new(true).open(file) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            return Err(CliError::usage(format!("{name} exists already and was left as it is")));
        }
        other => other.map_err(CliError::io(format!("create {name}")))?,
    };
    created.write_all(TEMPLATE.as_bytes()).map_err(CliError::io(format!("write {name}")))?;
    output::note(&format!(
        "wrote {name}; fill in id and client_id, set the secret, then run `whowas doctor` and `whowas sync`"
    ));
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_template_is_a_valid_configuration() {
        crate::config::Config::parse(TEMPLATE, Path::new("whowas.toml")).unwrap();
        // What stands in it as a default is one.
        let set = TEMPLATE.replace("# guard", "guard").replace("# announce = [\"old.example=new.example\"]", "");
        let config = crate::config::Config::parse(&set, Path::new("whowas.toml")).unwrap();
        assert!(config.tenants.iter().all(|tenant| tenant.guard() == crate::domain::guard::Guard::default()));
        // So is the example of a mapping.
        let (_, example) = TEMPLATE.split_once("# [[tenant.mapping]]").unwrap();
        let example = format!("{TEMPLATE}[[tenant.mapping]]{}", example.replace("\n# ", "\n"));
        let config = crate::config::Config::parse(&example, Path::new("whowas.toml")).unwrap();
        assert_eq!(config.tenants[0].mapping().unwrap().rules().len(), 1);
    }
}
