//! What a form sends.

use std::collections::BTreeMap;

use axum::extract::{FromRequest, Request};
use axum::http::header;

use super::visit::{Visit, elsewhere};
use crate::http::place::unreadable;
use crate::http::problem::{Code, Problem};
use crate::http::service::Shared;

/// A form of a page, which carries the token of the visitor's session.
pub struct Form(BTreeMap<String, String>);

impl FromRequest<Shared> for Form {
    type Rejection = Problem;

    async fn from_request(request: Request, service: &Shared) -> Result<Self, Problem> {
        let visit = request.extensions().get::<Visit>().cloned();
        let form = Self(fields(request, service.limits.body_bytes).await?);
        let is_known = visit.is_some_and(|visit| form.0.get("form").is_some_and(|token| visit.0.knows(token)));
        if is_known { Ok(form) } else { Err(elsewhere()) }
    }
}

impl Form {
    /// A field's text; empty if it was not filled in.
    pub fn text(&self, name: &str) -> &str {
        self.0.get(name).map_or("", |text| text.trim())
    }

    /// Refuses a text that is longer than this.
    ///
    /// # Errors
    /// If it is.
    pub fn short(&self, name: &str, longest: usize) -> Result<Option<String>, Problem> {
        match self.text(name) {
            "" => Ok(None),
            text if text.len() > longest => {
                Err(Problem::new(Code::InvalidBody, format!("{name} is longer than {longest} bytes")))
            }
            text => Ok(Some(text.to_owned())),
        }
    }
}

/// The fields of any form.
///
/// # Errors
/// If it is none, or did not come in whole.
pub async fn fields(request: Request, longest: usize) -> Result<BTreeMap<String, String>, Problem> {
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if kind.split(';').next().unwrap_or_default().trim() != "application/x-www-form-urlencoded" {
        return Err(Problem::new(Code::UnsupportedMediaType, "the body is to be what a form sends"));
    }
    let body = axum::body::to_bytes(request.into_body(), longest).await;
    let body = body.map_err(|error| unreadable(&error, longest))?;
    let mut fields = BTreeMap::new();
    for (key, value) in url::form_urlencoded::parse(&body) {
        // Browsers write line ends as CR LF.
        if fields.insert(key.to_string(), value.replace("\r\n", "\n")).is_some() {
            return Err(Problem::new(Code::InvalidBody, "a field of the form stands in it twice"));
        }
    }
    Ok(fields)
}
