//! Whether what a tenant's settings say makes sense together.

use std::time::Duration;

use super::Sheet;
use crate::config::{Config, TenantConfig};
use crate::domain::attribution::Settling;
use crate::domain::id::TenantId;
use crate::domain::rhythm::Rhythm;

pub(super) fn check(sheet: &mut Sheet, config: &Config, tenant: &TenantConfig) {
    let odd = oddities(config, tenant);
    if odd.is_empty() {
        sheet.ok("config", "it can be read, and its values are plausible");
        return;
    }
    for (said, cure) in odd {
        sheet.warn("config", said, cure);
    }
}

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);
/// What Entra keeps in the recycle bin.
const RECYCLE_BIN: Duration = Duration::from_secs(30 * 24 * 3_600);

/// What is odd, each with what to do.
fn oddities(config: &Config, tenant: &TenantConfig) -> Vec<(String, String)> {
    let mut odd = Vec::new();
    let mut say = |is: bool, said: &str, cure: &str| {
        if is {
            odd.push((said.to_owned(), cure.to_owned()));
        }
    };
    let (widths, policy) = (tenant.widths(), tenant.policy());
    let Settling { propagation, audit_lag } = policy.settling;
    let Rhythm { sync_every, reconcile_every } = tenant.rhythm();
    say(
        tenant.id == TenantId::from_bytes([0; 16]),
        "the tenant's id is all zeros, as `whowas init` writes it",
        "put the tenant's id there: Entra admin center > Overview > Tenant ID",
    );
    let same = config.tenants.iter().filter(|other| other.id == tenant.id).count();
    say(same > 1, "the tenant is there more than once; only the first one counts", "keep one [[tenant]] with this id");
    let alias = tenant.alias.as_deref();
    let named = config.tenants.iter().filter(|other| other.id != tenant.id && other.alias.as_deref() == alias).count();
    say(alias.is_some() && named > 0, "another tenant has the same alias", "give each tenant an alias of its own");
    say(
        widths.lag < MINUTE,
        "lag is under a minute: Graph's replicas may trail further, and what is called certain would not be",
        "set lag to 5m, or leave it out",
    );
    say(
        widths.lag > HOUR,
        "lag is over an hour: nothing of the last hour is ever proved",
        "set lag to 5m, or leave it out",
    );
    say(
        sync_every < widths.lag,
        "sync_every is shorter than lag: a round proves only what is older than lag",
        "set sync_every to lag or more",
    );
    say(
        widths.read_lag < Duration::from_secs(1),
        "read_lag is under a second: a live read may come from a replica that trails",
        "set read_lag to 30s, or leave it out",
    );
    say(
        widths.max_skew < Duration::from_secs(2) || widths.max_skew > HOUR,
        "max_skew is under two seconds or over an hour: dates are whole seconds, and a clock so far off dates wrongly",
        "set max_skew to 5m, or leave it out",
    );
    say(
        propagation < MINUTE,
        "propagation is under a minute: a name may open the mailbox of its former holder for longer than that",
        "set propagation to 15m, or leave it out",
    );
    say(
        audit_lag.is_some_and(|lag| lag < HOUR),
        "audit_lag is under an hour: the audit log may still speak of what was taken for settled",
        "set audit_lag to 12h, or leave it out",
    );
    say(
        policy.name_max_age > sync_every.saturating_mul(4),
        "name_max_age is longer than four rounds: a name may have passed to somebody else meanwhile",
        "set name_max_age to 0s, so that an ask by name needs a live read",
    );
    say(
        policy.id_max_age < sync_every,
        "id_max_age is shorter than sync_every: every ask by object id answers refresh",
        "set id_max_age to a few times sync_every; 7d is usual",
    );
    say(
        reconcile_every < sync_every,
        "reconcile_every is shorter than sync_every",
        "set reconcile_every to 24h: it reads the whole directory",
    );
    say(
        reconcile_every >= RECYCLE_BIN,
        "reconcile_every is as long as the recycle bin keeps users: some would come and go unseen",
        "set reconcile_every to 24h",
    );
    say(
        tenant.retry_attempts.is_some_and(|attempts| attempts < 2),
        "retry_attempts is under two: one lost connection ends a run",
        "set retry_attempts to 8, or leave it out",
    );
    odd
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn odd(more: &str) -> Vec<String> {
        let text = format!("[[tenant]]\nid = \"00000000-0000-0000-0000-000000000001\"\nalias = \"a\"\n{more}");
        let config = Config::parse(&text, Path::new("whowas.toml")).unwrap();
        oddities(&config, &config.tenants[0]).into_iter().map(|(said, _)| said).collect()
    }

    #[test]
    fn what_makes_no_sense_is_named_and_defaults_do() {
        assert_eq!(odd(""), Vec::<String>::new());
        assert_eq!(odd("audits = true\nsync_every = \"5m\"\nreconcile_every = \"7d\""), Vec::<String>::new());
        for (setting, said) in [
            ("lag = \"0s\"", "lag is under"),
            ("lag = \"2h\"\nsync_every = \"3h\"", "lag is over"),
            ("sync_every = \"1m\"", "shorter than lag"),
            ("read_lag = \"0s\"", "read_lag"),
            ("max_skew = \"1s\"", "max_skew"),
            ("max_skew = \"2h\"", "max_skew"),
            ("propagation = \"0s\"", "propagation"),
            ("audits = true\naudit_lag = \"5m\"", "audit_lag"),
            ("name_max_age = \"1d\"", "name_max_age"),
            ("id_max_age = \"1m\"", "id_max_age"),
            ("reconcile_every = \"1m\"", "reconcile_every is shorter"),
            ("reconcile_every = \"31d\"", "recycle bin"),
            ("retry_attempts = 1", "retry_attempts"),
            ("[[tenant]]\nid = \"00000000-0000-0000-0000-000000000001\"", "more than once"),
            ("[[tenant]]\nid = \"00000000-0000-0000-0000-000000000002\"\nalias = \"a\"", "same alias"),
        ] {
            let found = odd(setting);
            assert!(found.len() == 1 && found[0].contains(said), "{setting}: {found:?}");
        }
    }
}
