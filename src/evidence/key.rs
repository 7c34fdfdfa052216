//! The key with which a tenant's checkpoints are signed, as C2SP's signed-note writes it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{SigningKey, VerifyingKey};
use signed_note::{StandardSigner, StandardVerifier, key_id, new_ed25519_verifier_key};

use crate::domain::id::TenantId;

/// The byte that says Ed25519 in a key's text.
const ED25519: u8 = 1;

/// Text that is no key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NoKey(String);

/// What a tenant's log is called: the first line of its checkpoints, and the name of the key that signs them.
pub fn origin(tenant: TenantId) -> String {
    format!("whowas/{tenant}")
}

/// The tenant whose log has this name.
pub fn tenant_of(origin: &str) -> Option<TenantId> {
    let tenant = origin.strip_prefix("whowas/")?.parse().ok()?;
    // One tenant has one name.
    (self::origin(tenant) == origin).then_some(tenant)
}

/// A signer key's text, made of 32 random bytes.
pub fn signer_text(name: &str, secret: [u8; 32]) -> String {
    let key = SigningKey::from_bytes(&secret);
    let public = [&[ED25519], key.verifying_key().to_bytes().as_slice()].concat();
    let private = STANDARD.encode([&[ED25519], secret.as_slice()].concat());
    format!("PRIVATE+KEY+{name}+{:08x}+{private}", key_id(name, &public))
}

/// The signer of a tenant's checkpoints, from its key's text.
///
/// # Errors
/// If the text is no Ed25519 signer key, or another tenant's.
pub fn signer(tenant: TenantId, text: &str) -> Result<StandardSigner, NoKey> {
    let signer = StandardSigner::new(text).map_err(|error| NoKey(format!("it is no signer key ({error})")))?;
    let (found, wanted) = (signed_note::Signer::name(&signer).to_owned(), origin(tenant));
    match found == wanted {
        true => Ok(signer),
        false => Err(NoKey(format!("it is the key of {found}, not of {wanted}"))),
    }
}

/// The verifier key that belongs to a signer key's text, for handing out.
///
/// # Errors
/// If the text is no Ed25519 signer key.
pub fn verifier_text(signer: &str) -> Result<String, NoKey> {
    let no = |why: &str| NoKey(why.to_owned());
    StandardSigner::new(signer).map_err(|error| NoKey(format!("it is no signer key ({error})")))?;
    let mut parts = signer.splitn(5, '+').skip(2);
    let (name, key) = (parts.next(), parts.nth(1));
    let name = name.ok_or_else(|| no("it has no name"))?;
    let key = key.and_then(|key| STANDARD.decode(key).ok()).ok_or_else(|| no("it is cut short"))?;
    let secret: [u8; 32] =
        key.get(1..).and_then(|secret| secret.try_into().ok()).ok_or_else(|| no("it is cut short"))?;
    Ok(new_ed25519_verifier_key(name, &SigningKey::from_bytes(&secret).verifying_key()))
}

/// Reads a verifier key. It must be written as it is handed out, to the letter.
///
/// # Errors
/// If the text is none.
pub fn verifier(text: &str) -> Result<StandardVerifier, NoKey> {
    let verifier = StandardVerifier::new(text)
        .map_err(|error| NoKey(format!("it is no verifier key, which is NAME+HASH+KEY ({error})")))?;
    let hash = text.split('+').nth(1).unwrap_or_default();
    if hash.chars().any(|letter| !letter.is_ascii_digit() && !('a'..='f').contains(&letter)) {
        return Err(NoKey("the hash of a verifier key is written in small hexadecimal digits".to_owned()));
    }
    let key = text.splitn(3, '+').nth(2).and_then(|key| STANDARD.decode(key).ok());
    let point: Option<[u8; 32]> = key.as_deref().and_then(|key| key.get(1..)?.try_into().ok());
    // With a point of small order one signature fits every text, and whoever handed it out can deny all of them.
    if point.and_then(|point| VerifyingKey::from_bytes(&point).ok()).is_none_or(|key| key.is_weak()) {
        return Err(NoKey("signatures of this verifier key fit any text, so they show nothing".to_owned()));
    }
    Ok(verifier)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TENANT: TenantId = TenantId::from_bytes([0x11; 16]);

    #[test]
    fn a_signer_key_and_what_is_handed_out_of_it_belong_together() {
        let text = signer_text(&origin(TENANT), [7; 32]);
        let public = verifier_text(&text).unwrap();
        let signer = signer(TENANT, &text).unwrap();
        let signature = signed_note::Signer::sign(&signer, b"text").unwrap();
        let verifier = verifier(&public).unwrap();
        assert!(signed_note::Verifier::verify(&verifier, b"text", &signature));
        assert!(!signed_note::Verifier::verify(&verifier, b"texts", &signature));
    }

    #[test]
    fn another_tenants_key_and_damaged_ones_are_refused() {
        let text = signer_text(&origin(TENANT), [7; 32]);
        assert!(signer(TenantId::from_bytes([0x12; 16]), &text).is_err());
        let public = verifier_text(&text).unwrap();
        for bit in 0..public.len() * 8 {
            let mut damaged = public.clone().into_bytes();
            damaged[bit / 8] ^= 1 << (bit % 8);
            let Ok(damaged) = String::from_utf8(damaged) else { continue };
            assert!(verifier(&damaged).is_err(), "{damaged}");
        }
        assert!(verifier("").is_err());
    }

    #[test]
    fn an_origin_names_one_tenant() {
        assert_eq!(tenant_of(&origin(TENANT)), Some(TENANT));
        assert_eq!(tenant_of("whowas/11111111-1111-1111-1111-11111111111A"), None);
        assert_eq!(tenant_of("elsewhere/11111111-1111-1111-1111-111111111111"), None);
    }

    #[test]
    fn a_key_whose_signatures_fit_any_text_is_refused() {
        let name = origin(TENANT);
        // The neutral point, and one of order two.
        for point in [[&[1u8][..], &[0; 31]].concat(), [&[0xec][..], &[0xff; 30], &[0x7f]].concat()] {
            let public = [&[ED25519], point.as_slice()].concat();
            let text = format!("{name}+{:08x}+{}", key_id(&name, &public), STANDARD.encode(&public));
            assert!(StandardVerifier::new(&text).is_ok(), "it is one to the library");
            let refused = verifier(&text).err().map(|error| error.to_string());
            assert!(refused.as_ref().is_some_and(|why| why.contains("fit any text")), "{refused:?}");
        }
    }
}
