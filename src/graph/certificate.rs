//! Certificates with their keys, and the assertion by which an application shows that it holds one.
//!
//! entra-docs: identity-platform/certificate-credentials.md. The assertion is signed with PS256 and names the
//! certificate by its SHA-256 (`x5t#S256`): no SHA-1 anywhere. Files are read anew for each assertion, so a renewed
//! certificate is used without a restart.

use std::fmt;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::crypto::{aws_lc, sign, verify};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header};
use pem::Pem;
use sha2::{Digest, Sha256};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

use super::error::GraphError;
use super::wire::token::AssertionClaims;
use crate::domain::time::Instant;

/// How long an assertion is good for, in seconds: Entra wants five to ten minutes.
const LIFETIME_SECS: i64 = 600;
/// The largest file that is read as PEM, in bytes.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Where a certificate and its private key are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFiles {
    /// PEM: the certificate; others in the file are passed over.
    pub certificate: PathBuf,
    /// PEM: its private key. `None` if it is in the same file.
    pub key: Option<PathBuf>,
}

/// When an assertion is made, and what makes it different from every other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The time.
    pub now: Instant,
    /// Random bytes.
    pub salt: [u8; 16],
}

/// A certificate that an application can sign with.
pub struct SigningCertificate {
    thumbprint: String,
    key: EncodingKey,
    from: Instant,
    until: Instant,
}

impl SigningCertificate {
    /// Reads a certificate and the private key that belongs to it. A file that cannot be read, that holds something
    /// else, or a key of another certificate is [`GraphError::Certificate`].
    pub fn read(files: &CertificateFiles) -> Result<Self, GraphError> {
        // Whoever builds us in may have switched on another provider as well, and then the library would not choose.
        let _chosen_before = aws_lc::DEFAULT_PROVIDER.install_default();
        let certificates = blocks(&files.certificate)?;
        let key_file = files.key.as_ref().unwrap_or(&files.certificate);
        let keys = match &files.key {
            Some(file) => blocks(file)?,
            None => certificates.clone(),
        };
        let key = signing_key(key_file, &keys)?;
        let bad = |why: &str| bad(&files.certificate, why);
        let probe = sign(PROBE, &key, Algorithm::PS256)
            .map_err(|_| self::bad(key_file, "its key cannot sign: an RSA key of 2048 to 8192 bits is needed"))?;
        let mut found = false;
        for block in certificates.iter().filter(|block| block.tag() == CERTIFICATE) {
            found = true;
            let Some(parsed) = Parsed::of(block.contents()) else {
                return Err(bad("it holds a certificate that is no X.509 certificate"));
            };
            if parsed.has_signed(PROBE, &probe) {
                let thumbprint = thumbprint(block.contents());
                return Ok(Self { thumbprint, key, from: parsed.from, until: parsed.until });
            }
        }
        if found {
            let why = format!("it does not belong to the private key in {}", key_file.display());
            return Err(bad(&why));
        }
        Err(bad("it holds no certificate (-----BEGIN CERTIFICATE-----)"))
    }

    /// The instants from and until which it is valid.
    pub fn valid(&self) -> (Instant, Instant) {
        (self.from, self.until)
    }

    /// SHA-256 of the certificate, base64url: the `x5t#S256` of its assertions.
    pub fn thumbprint(&self) -> &str {
        &self.thumbprint
    }

    /// The signed assertion that `client_id` holds this certificate, for the token endpoint `audience`.
    pub fn assertion(
        &self,
        audience: &str,
        client_id: &str,
        moment: Moment,
    ) -> Result<String, jsonwebtoken::errors::Error> {
        let header = Header { x5t_s256: Some(self.thumbprint.clone()), ..Header::new(Algorithm::PS256) };
        let nbf = moment.now.as_micros().div_euclid(1_000_000);
        let claims = AssertionClaims {
            aud: audience.to_owned(),
            iss: client_id.to_owned(),
            sub: client_id.to_owned(),
            jti: uuid::Uuid::from_bytes(moment.salt).to_string(),
            nbf,
            exp: nbf.saturating_add(LIFETIME_SECS),
        };
        jsonwebtoken::encode(&header, &claims, &self.key)
    }
}

/// Nothing of the key.
impl fmt::Debug for SigningCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningCertificate").field("thumbprint", &self.thumbprint).finish_non_exhaustive()
    }
}

/// The certificates in a PEM file, as DER.
pub fn certificates(file: &Path) -> Result<Vec<Vec<u8>>, GraphError> {
    let found = blocks(file)?.into_iter().filter(|block| block.tag() == CERTIFICATE);
    Ok(found.map(Pem::into_contents).collect())
}

/// SHA-256 of a certificate in DER, base64url.
pub fn thumbprint(der: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(der))
}

/// Whether the holder of this certificate's key signed these bytes with PS256. `signature` is base64url.
#[cfg(feature = "emulator")]
pub(super) fn has_signed(der: &[u8], message: &[u8], signature: &str) -> bool {
    Parsed::of(der).is_some_and(|parsed| parsed.has_signed(message, signature))
}

/// What is needed of a certificate.
struct Parsed {
    key: DecodingKey,
    from: Instant,
    until: Instant,
}

impl Parsed {
    fn of(der: &[u8]) -> Option<Self> {
        let (rest, parsed) = X509Certificate::from_der(der).ok()?;
        let instant = |seconds: i64| Instant::from_micros(seconds.saturating_mul(1_000_000));
        let (from, until) = (parsed.validity().not_before.timestamp(), parsed.validity().not_after.timestamp());
        let key = DecodingKey::from_rsa_der(&parsed.public_key().subject_public_key.data);
        rest.is_empty().then(|| Self { key, from: instant(from), until: instant(until) })
    }

    fn has_signed(&self, message: &[u8], signature: &str) -> bool {
        verify(signature, message, &self.key, Algorithm::PS256).unwrap_or(false)
    }
}

const BEGIN: &[u8] = b"-----BEGIN ";
const CERTIFICATE: &str = "CERTIFICATE";
/// Signed only to see whether key and certificate belong together.
const PROBE: &[u8] = b"whowas";

fn signing_key(file: &Path, blocks: &[Pem]) -> Result<EncodingKey, GraphError> {
    let Some(block) = blocks.iter().find(|block| block.tag().ends_with("PRIVATE KEY")) else {
        return Err(bad(file, "it holds no private key (-----BEGIN PRIVATE KEY-----); name its file as key"));
    };
    match block.tag() {
        "ENCRYPTED PRIVATE KEY" => {
            return Err(bad(file, "its private key is encrypted; decrypt it with `openssl pkcs8 -in … -out …`"));
        }
        "PRIVATE KEY" | "RSA PRIVATE KEY" => {}
        other => return Err(bad(file, &format!("its private key is {other:?}; an RSA key in PKCS#8 is needed"))),
    }
    EncodingKey::from_rsa_pem(pem::encode(block).as_bytes())
        .map_err(|_| bad(file, "its private key is no RSA key in PKCS#8"))
}

fn blocks(file: &Path) -> Result<Vec<Pem>, GraphError> {
    let unreadable = |error: std::io::Error| bad(file, &format!("it cannot be read: {error}"));
    if std::fs::metadata(file).map_err(unreadable)?.len() > FILE_BYTES_MAX {
        return Err(bad(file, "it is too large for a PEM file"));
    }
    let bytes = std::fs::read(file).map_err(unreadable)?;
    let found = pem::parse_many(&bytes).map_err(|_| bad(file, "it is no PEM file"))?;
    // The library passes over a block without an end.
    let begun = bytes.windows(BEGIN.len()).filter(|window| *window == BEGIN).count();
    if begun > found.len() { Err(bad(file, "it is no PEM file: a block has no end")) } else { Ok(found) }
}

fn bad(file: &Path, why: &str) -> GraphError {
    GraphError::Certificate { file: file.to_owned(), why: why.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Made {
        folder: tempfile::TempDir,
    }

    impl Made {
        fn new() -> Self {
            let made = Self { folder: tempfile::tempdir().unwrap() };
            for name in ["a", "b"] {
                let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap();
                let parameters = rcgen::CertificateParams::new(vec!["whowas.test".to_owned()]).unwrap();
                let certificate = parameters.self_signed(&key).unwrap();
                made.write(&format!("{name}.pem"), &certificate.pem());
                made.write(&format!("{name}.key"), &key.serialize_pem());
            }
            made
        }

        fn write(&self, name: &str, text: &str) {
            std::fs::write(self.folder.path().join(name), text).unwrap();
        }

        fn text(&self, name: &str) -> String {
            std::fs::read_to_string(self.folder.path().join(name)).unwrap()
        }

        fn read(&self, certificate: &str, key: Option<&str>) -> Result<SigningCertificate, String> {
            let file = |name: &str| self.folder.path().join(name);
            let files = CertificateFiles { certificate: file(certificate), key: key.map(file) };
            SigningCertificate::read(&files).map_err(|error| error.to_string())
        }
    }

    const MOMENT: Moment = Moment { now: Instant::from_micros(1_772_323_200_900_000), salt: [7; 16] };

    #[test]
    fn an_assertion_is_what_entra_asks_for() {
        let made = Made::new();
        let own = made.read("a.pem", Some("a.key")).unwrap();
        let token = own.assertion("https://login.test/t/oauth2/v2.0/token", "app", MOMENT).unwrap();
        let der = certificates(&made.folder.path().join("a.pem")).unwrap().remove(0);
        let header = jsonwebtoken::decode_header(&token).unwrap();
        assert_eq!((header.alg, header.x5t_s256.as_deref()), (Algorithm::PS256, Some(own.thumbprint())));
        assert_eq!((header.x5t, header.typ.as_deref()), (None, Some("JWT")));
        assert_eq!(own.thumbprint(), thumbprint(&der));
        let claims: AssertionClaims = jsonwebtoken::dangerous::insecure_decode_claims(&token).unwrap();
        assert_eq!((claims.iss.as_str(), claims.sub.as_str()), ("app", "app"));
        assert_eq!(claims.aud, "https://login.test/t/oauth2/v2.0/token");
        assert_eq!((claims.nbf, claims.exp), (1_772_323_200, 1_772_323_800));
        let (message, signature) = token.rsplit_once('.').unwrap();
        assert!(Parsed::of(&der).unwrap().has_signed(message.as_bytes(), signature));
        assert!(!Parsed::of(&der).unwrap().has_signed(b"else", signature));
        let next = own.assertion("a", "app", Moment { salt: [8; 16], ..MOMENT }).unwrap();
        let next: AssertionClaims = jsonwebtoken::dangerous::insecure_decode_claims(&next).unwrap();
        assert_ne!(claims.jti, next.jti);
    }

    #[test]
    fn the_key_may_stand_beside_its_certificate_and_other_certificates() {
        let made = Made::new();
        made.write("all.pem", &format!("{}{}{}", made.text("b.pem"), made.text("a.key"), made.text("a.pem")));
        let (all, own) = (made.read("all.pem", None).unwrap(), made.read("a.pem", Some("a.key")).unwrap());
        assert_eq!(all.thumbprint(), own.thumbprint());
        assert!(!format!("{own:?}").contains("key"), "{own:?}");
    }

    #[test]
    fn bad_files_are_named_with_what_is_wrong() {
        let made = Made::new();
        let ec = rcgen::KeyPair::generate().unwrap();
        made.write("ec.key", &ec.serialize_pem());
        made.write("ec1.key", "-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n");
        made.write("locked.key", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n");
        made.write("junk.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
        made.write("broken.pem", "-----BEGIN CERTIFICATE-----\n!!\n");
        made.write("empty.pem", "");
        for (certificate, key, file, why) in [
            ("a.pem", Some("b.key"), "a.pem", "does not belong to the private key"),
            ("a.pem", None, "a.pem", "no private key"),
            ("a.key", Some("a.key"), "a.key", "no certificate"),
            ("empty.pem", Some("a.key"), "empty.pem", "no certificate"),
            ("junk.pem", Some("a.key"), "junk.pem", "no X.509 certificate"),
            ("broken.pem", Some("a.key"), "broken.pem", "no PEM file"),
            ("gone.pem", Some("a.key"), "gone.pem", "cannot be read"),
            ("a.pem", Some("gone.key"), "gone.key", "cannot be read"),
            ("a.pem", Some("ec.key"), "ec.key", "no RSA key"),
            ("a.pem", Some("ec1.key"), "ec1.key", "an RSA key in PKCS#8 is needed"),
            ("a.pem", Some("locked.key"), "locked.key", "is encrypted"),
        ] {
            let text = made.read(certificate, key).unwrap_err();
            assert!(text.contains(file) && text.contains(why), "{certificate} {key:?}: {text}");
        }
    }
}
