//! Answers of the token endpoints: Entra's and the managed identity's.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

/// An access token as Entra or the instance metadata service (IMDS) gives it. Entra sends numbers, IMDS the same
/// numbers as text.
#[derive(Clone, Deserialize)]
pub struct WireToken {
    /// Always `Bearer`; some services leave it out.
    #[serde(default)]
    pub token_type: Option<String>,
    /// Seconds until it expires.
    #[serde(deserialize_with = "number_or_text")]
    pub expires_in: u64,
    /// Seconds until it should be renewed.
    #[serde(default, deserialize_with = "optional_number_or_text")]
    pub refresh_in: Option<u64>,
    /// When it expires, in seconds after the epoch. IMDS only.
    #[serde(default, deserialize_with = "optional_number_or_text")]
    pub expires_on: Option<u64>,
    /// The token.
    pub access_token: String,
}

/// A refusal of the token endpoint.
#[derive(Clone, Debug, Deserialize)]
pub struct WireTokenError {
    /// The OAuth code, for example `invalid_client`.
    pub error: String,
    #[serde(default)]
    error_description: Option<String>,
    #[serde(default)]
    error_codes: Vec<u32>,
}

/// The decoded header of a signed client assertion (certificate credential).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct AssertionHeader {
    /// `PS256`.
    pub alg: String,
    /// `JWT`.
    pub typ: String,
    /// SHA-256 of the certificate, base64url.
    #[serde(rename = "x5t#S256")]
    pub thumbprint: String,
}

/// The decoded claims of a signed client assertion.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssertionClaims {
    /// The token URL.
    pub aud: String,
    /// The client id.
    pub iss: String,
    /// The client id.
    pub sub: String,
    /// Unique per assertion.
    pub jti: String,
    /// Not valid before, in seconds after the epoch.
    pub nbf: i64,
    /// Valid until, in seconds after the epoch.
    pub exp: i64,
}

impl WireTokenError {
    /// The number after `AADSTS`: from `error_codes`, which may be missing, else from the description.
    pub fn aadsts(&self) -> Option<u32> {
        self.error_codes.first().copied().or_else(|| {
            let (_, rest) = self.error_description.as_deref()?.split_once("AADSTS")?;
            let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
            digits.parse().ok()
        })
    }
}

impl fmt::Debug for WireToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WireToken").field("expires_in", &self.expires_in).finish_non_exhaustive()
    }
}

fn number_or_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    optional_number_or_text(deserializer)?.ok_or_else(|| serde::de::Error::custom("a number of seconds is missing"))
}

fn optional_number_or_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    // Clients met expires_on as ISO and US dates and as an empty text too; what is no number counts as untold.
    Ok(match Value::deserialize(deserializer)? {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    })
}
