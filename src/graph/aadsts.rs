//! What Entra's codes ask a person to change. The codes: azure_identity TROUBLESHOOTING.md; Entra's reference of AADSTS
//! codes (entra-docs: identity-platform/reference-error-codes.md).

/// What to do about a refusal with this number after `AADSTS`.
pub(super) fn hint(aadsts: Option<u32>) -> &'static str {
    let known = |code| HINTS.iter().find(|(codes, _)| codes.contains(&code)).map(|(_, hint)| *hint);
    aadsts.and_then(known).unwrap_or(ELSE)
}

/// Whether the code says "try again later".
pub(super) fn is_transient(aadsts: u32) -> bool {
    TRANSIENT.contains(&aadsts)
}

const TRANSIENT: [u32; 2] = [90_033, 90_099];

const ELSE: &str = "check client_id, the credential and the tenant id against the app registration in Entra";

const HINTS: &[(&[u32], &str)] = &[
    (
        &[7_000_215],
        "the client secret is wrong: in Entra, under App registrations > Certificates & secrets, copy the secret's \
         Value, not its ID, or create a new one",
    ),
    (
        &[7_000_222],
        "the client secret has expired: create a new one in Entra under App registrations > Certificates & secrets",
    ),
    (
        &[700_016],
        "the application is unknown in this tenant: check client_id and the tenant id, or grant the application \
         admin consent in the tenant",
    ),
    (
        &[700_027],
        "the certificate's signature is not accepted: upload this very certificate to the app registration in Entra, \
         under Certificates & secrets > Certificates, and see that it has not expired",
    ),
    (
        &[700_024],
        "the assertion is not valid at this time: set this machine's clock; a federated token that has expired must be \
         renewed by its platform",
    ),
    (
        &[700_023],
        "the assertion is meant for another sign-in: check the tenant id, and that login_url and cloud are the tenant's",
    ),
    (
        &[700_211, 700_212, 700_213],
        "no federated credential of the application matches the token: in Entra, under App registrations > Certificates \
         & secrets > Federated credentials, correct issuer, subject and audience to those of the token, letter by letter",
    ),
    (&[90_002], "the tenant is unknown there: check the tenant id, and that cloud is the tenant's own"),
    (&[900_023], "the tenant id is none: copy it from Entra, under Overview > Tenant ID"),
    (&[70_011, 1_002_012], "the scope is not accepted: check graph_url and that it belongs to this cloud"),
    (
        &[500_011],
        "Graph is unknown to this tenant under that address: check graph_url and that it belongs to this cloud",
    ),
    (&[50_049], "the sign-in host is unknown: check login_url"),
    (&[7_000_229], "the application has no service principal in this tenant: grant it admin consent"),
    (&[7_000_112], "the application is disabled: enable it in Entra under Enterprise applications > Properties"),
    (&[53_003], "a Conditional Access policy blocks this application: exclude the workload identity or its location"),
    (&TRANSIENT, "Entra is temporarily unavailable: try again later"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_says_what_to_change() {
        for (code, said) in [
            (7_000_215, "Value, not its ID"),
            (7_000_222, "has expired"),
            (700_016, "client_id"),
            (700_027, "upload this very certificate"),
            (700_024, "clock"),
            (700_213, "Federated credentials"),
            (90_002, "tenant id"),
            (900_023, "Tenant ID"),
            (70_011, "graph_url"),
            (1_002_012, "graph_url"),
            (50_049, "login_url"),
            (7_000_229, "admin consent"),
            (53_003, "Conditional Access"),
            (90_033, "try again later"),
        ] {
            assert!(hint(Some(code)).contains(said), "{code}: {}", hint(Some(code)));
        }
        assert_eq!((hint(None), hint(Some(1))), (ELSE, ELSE));
    }

    #[test]
    fn a_code_stands_in_one_place() {
        let mut all: Vec<u32> = HINTS.iter().flat_map(|(codes, _)| codes.iter().copied()).collect();
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
    }
}
