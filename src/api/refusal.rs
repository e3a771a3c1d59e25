//! Every refusal that leaves this room: a status, a stable code, a public sentence and a way out.
//! A client's fault is never a 5xx.

use super::roles::{Role, Rules};
use super::service::Unreadable;
use super::wire::{Finding, RefusalBody, Refused, plain};
use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub status: StatusCode,
    pub refusal: RefusalBody,
}

impl Refusal {
    pub fn new(
        status: StatusCode,
        code: &str,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        let (code, message, hint) = (code.into(), plain(message), plain(hint));
        Self { status, refusal: RefusalBody { code, message, hint, findings: Vec::new() } }
    }

    /// 400: what was sent cannot be meant.
    pub fn bad(code: &str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message, hint)
    }

    /// 404: what is named is not there.
    pub fn absent(code: &str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, message, hint)
    }

    /// 409: what is there stands against it.
    pub fn clash(code: &str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, code, message, hint)
    }

    /// 503: not the client's fault.
    pub fn unable(code: &str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code, message, hint)
    }

    /// 403: the peer has not the role that the route needs.
    pub fn forbidden(rules: &Rules, wanted: Role) -> Self {
        let message = match wanted {
            Role::Admin => "only root and admins may do this",
            Role::None | Role::Operator => "only root, operators and admins may do this",
        };
        Self::new(StatusCode::FORBIDDEN, "forbidden", message, rules.way_in(wanted))
    }

    /// The daemon took the request and did not answer in time.
    pub fn late() -> Self {
        Self::unable(
            "late",
            "the daemon did not answer in time",
            "ask again; with the same Idempotency-Key nothing is done twice",
        )
    }

    /// 429: the client has too much under way.
    pub fn crowded(code: &str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, code, message, hint)
    }

    /// 500: heptad itself is wrong.
    pub fn bug() -> Self {
        let hint = "see `journalctl -u heptad`, and report it";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "bug", "the answer could not be made", hint)
    }

    /// A reload that the findings stop.
    pub fn unloadable(findings: Vec<Finding>) -> Self {
        let message = "the configuration cannot be loaded; the one in force stays";
        let hint = "mend what was found, then reload again";
        let mut refuse = Self::clash("configuration-refused", message, hint);
        refuse.refusal.findings = findings;
        refuse
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.status, Json(Refused { error: self.refusal })).into_response()
    }
}

impl From<Unreadable> for Refusal {
    fn from(error: Unreadable) -> Self {
        Self::unable(
            "catalogue-unreadable",
            error.to_string(),
            "see `journalctl -u heptad`; `heptad rebuild` makes a new catalogue",
        )
    }
}
