//! What systemd is told: that the service is ready, that it lives, that it is about to end. Elsewhere nobody listens.

use std::time::Duration;

use sd_notify::NotifyState;

use super::service::{Shared, blocking};

/// How often the status line is told where there is no watchdog.
const LOOK: Duration = Duration::from_secs(60);

/// The service answers.
pub fn ready(url: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(&format!("listening on {url}"))]);
}

/// The service is about to end.
pub fn stopping() {
    tell(&[NotifyState::Stopping, NotifyState::Status("ending: requests and runs under way are finished")]);
}

/// Tells that the service lives, as long as the ledger answers; and what it does.
pub async fn keep(service: Shared) {
    let watchdog = sd_notify::watchdog_enabled();
    // Twice in the time after which systemd would believe it dead.
    let pause = watchdog.map_or(LOOK, |limit| (limit / 2).max(Duration::from_millis(100)));
    loop {
        tokio::time::sleep(pause).await;
        let asked = {
            let service = service.clone();
            blocking(move || Ok(service.ledger.tenants()?.len())).await
        };
        match asked {
            Ok(tenants) => {
                let status = format!("{tenants} tenants in the ledger");
                tell(&[NotifyState::Watchdog, NotifyState::Status(&status)]);
            }
            // Not telling is what makes systemd start it anew.
            Err(problem) => tracing::error!(code = problem.code.word(), "the ledger does not answer"),
        }
    }
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "systemd was not told");
    }
}
