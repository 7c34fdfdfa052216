//! Whether the application gets a token, and what it may read with it.

use std::time::Duration;

use super::{Patient, Sheet, TOTAL_TIMEOUT, told};
use crate::config::TenantConfig;
use crate::graph::certificate::SigningCertificate;
use crate::graph::client::{GraphClient, Readable};
use crate::graph::error::GraphError;
use crate::graph::wire::addressee::Collection;

/// How long before its end a certificate is worth a word.
const EXPIRY_NOTICE: Duration = Duration::from_secs(30 * 24 * 3_600);

/// Gets a token; whether there is one.
pub(super) async fn credential(
    sheet: &mut Sheet,
    patient: &Patient<'_>,
    tenant: &TenantConfig,
    client: &GraphClient,
) -> bool {
    let kind = tenant.credential.kind().unwrap_or("a credential");
    // A machine without a managed identity is asked by the library for over a minute.
    match tokio::time::timeout(TOTAL_TIMEOUT, client.sign_in()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            sheet.fail("credential", told(&error), error.hint());
            return false;
        }
        Err(_) => {
            let said = format!("no token within {} s", TOTAL_TIMEOUT.as_secs());
            let cure = if tenant.credential.managed_identity {
                "managed_identity works on a machine of Azure that has an identity; elsewhere take a certificate or a \
                 federated token"
            } else {
                "try again later, and see what -v says meanwhile"
            };
            sheet.fail("credential", said, cure);
            return false;
        }
    }
    let certificate = tenant.credential.certificate_files().and_then(|files| SigningCertificate::read(&files).ok());
    let Some(until) = certificate.map(|certificate| certificate.valid().1) else {
        sheet.ok("credential", format!("a token is given for {kind}"));
        return true;
    };
    let said = format!("a token is given for {kind}, which is valid until {until}");
    if until.since(patient.clock.now()) < EXPIRY_NOTICE {
        let cure = "make a new certificate, add it to the app registration in Entra, and put it in place of the old one; \
                    no restart is needed";
        sheet.warn("credential", said, cure);
    } else {
        sheet.ok("credential", said);
    }
    true
}

/// Something that a permission allows.
struct Permission {
    check: &'static str,
    what: Readable,
    /// Whether whowas cannot do without.
    is_needed: bool,
    /// What is switched off without it.
    without: &'static str,
}

const PERMISSIONS: [Permission; 5] = [
    Permission { check: "users", what: Readable::Users, is_needed: true, without: "without it nothing can be read" },
    Permission {
        check: "deleted_items",
        what: Readable::DeletedUsers,
        is_needed: true,
        without: "without it the reconcile fails, and some restores and purges stay unseen",
    },
    Permission {
        check: "groups",
        what: Readable::Addressees(Collection::Groups),
        is_needed: false,
        without: "without it an address that passed to a group looks free",
    },
    Permission {
        check: "contacts",
        what: Readable::Addressees(Collection::Contacts),
        is_needed: false,
        without: "without it an address that passed to a contact looks free",
    },
    Permission {
        check: "audits",
        what: Readable::Audits,
        is_needed: true,
        without: "without it names change somewhere between two polls instead of at an instant",
    },
];

pub(super) fn skip_all(sheet: &mut Sheet, why: &str) {
    for permission in &PERMISSIONS {
        sheet.skip(permission.check, why);
    }
}

pub(super) async fn permissions(sheet: &mut Sheet, tenant: &TenantConfig, client: &GraphClient) {
    for permission in &PERMISSIONS {
        if permission.what == Readable::Audits && !tenant.audits {
            sheet.skip(permission.check, "audits is not switched on for the tenant");
            continue;
        }
        match client.may_read(permission.what).await {
            Ok(()) => sheet.ok(permission.check, "may be read"),
            Err(error @ GraphError::PermissionDenied { .. }) => {
                let said = format!("{}; {}", told(&error), permission.without);
                if permission.is_needed {
                    sheet.fail(permission.check, said, error.hint());
                } else {
                    sheet.warn(permission.check, said, error.hint());
                }
            }
            Err(error) => sheet.fail(permission.check, told(&error), error.hint()),
        }
    }
}
