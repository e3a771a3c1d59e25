//! Reads what a client sent, strictly: whatever is not understood is refused with its place and,
//! where it was a slip of the finger, with what was probably meant.

use super::refusal::Refusal;
use super::roles::{Peer, Role};
use super::state::AppState;
use super::wire::{DRY_RUN, Nothing};
use crate::domain::id::OperationId;
use crate::domain::key::{Digest, Key};
use crate::domain::name::ResourceName;
use crate::domain::similar::similar;
use crate::domain::snapshot::Selector;
use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};
use std::str::FromStr;
use std::sync::Arc;
use tokio::time::timeout;

/// Longest idempotency key.
const KEY_LENGTH: usize = 128;

/// Longest part of a client's text that an answer repeats.
const ECHO: usize = 200;

/// A resource's name in the path.
pub(super) struct ResourcePath(pub ResourceName);

/// A snapshot in the path: a name, `RESOURCE@SLOT` or `RESOURCE@latest`.
pub(super) struct SnapshotPath(pub Selector);

/// An operation's number in the path.
pub(super) struct OperationPath(pub OperationId);

/// The query.
pub(super) struct Query<T>(pub T);

/// The body; an empty one stands for an empty object.
pub(super) struct JsonBody<T>(pub T);

/// All that a request for a change says, and its `Idempotency-Key` with the digest of all that.
pub(super) struct Wish<B, Q = Nothing> {
    pub terms: Terms,
    pub query: Q,
    pub body: B,
}

/// How it is asked for.
pub(super) struct Terms {
    pub key: Option<Key>,
    /// The query's [`DRY_RUN`]: only whether it would be refused.
    pub dry_run: bool,
}

/// Whether a change is only asked about, and the rest of the query.
fn dry_run(query: &str) -> Result<(bool, String), Refusal> {
    let pairs: Vec<(String, String)> = serde_urlencoded::from_str(query).map_err(bad_query)?;
    let (said, rest): (Vec<_>, Vec<_>) = pairs.into_iter().partition(|(key, _)| key == DRY_RUN);
    let dry_run = match said.as_slice() {
        [] => false,
        [(_, value)] if value == "true" => true,
        [(_, value)] if value == "false" => false,
        _ => {
            let hint = "write dry_run=true once, or leave it out";
            return Err(Refusal::bad("bad-query", "the query: dry_run is true or false", hint));
        }
    };
    let rest = serde_urlencoded::to_string(rest).map_err(bad_query)?;
    Ok((dry_run, rest))
}

fn bad_query(error: impl ToString) -> Refusal {
    let message = error.to_string();
    Refusal::bad("bad-query", format!("the query: {}", brief(&message)), guess(&message))
}

/// The `Idempotency-Key` as it was sent.
struct KeyText(Option<String>);

async fn part<T: FromStr<Err: ToString>>(
    parts: &mut Parts,
    code: &str,
    hint: &str,
) -> Result<T, Refusal> {
    let text = Path::<String>::from_request_parts(parts, &()).await;
    let Path(text) = text.map_err(|error| Refusal::bad(code, error.body_text(), hint))?;
    let bad = |error: T::Err| {
        let (text, error) = (format!("{:?}", brief(&text)), error.to_string());
        // Most say themselves what they are about.
        let message = if error.contains(&text) { error } else { format!("{text} {error}") };
        Refusal::bad(code, message, hint)
    };
    text.parse().map_err(bad)
}

impl FromRequestParts<Arc<AppState>> for ResourcePath {
    type Rejection = Refusal;
    async fn from_request_parts(parts: &mut Parts, _: &Arc<AppState>) -> Result<Self, Refusal> {
        part(parts, "bad-name", "`heptactl status` shows what there is").await.map(ResourcePath)
    }
}

impl FromRequestParts<Arc<AppState>> for SnapshotPath {
    type Rejection = Refusal;
    async fn from_request_parts(parts: &mut Parts, _: &Arc<AppState>) -> Result<Self, Refusal> {
        part(parts, "bad-reference", "`heptactl list` shows what there is").await.map(SnapshotPath)
    }
}

impl FromRequestParts<Arc<AppState>> for OperationPath {
    type Rejection = Refusal;
    async fn from_request_parts(parts: &mut Parts, _: &Arc<AppState>) -> Result<Self, Refusal> {
        let number = part(parts, "bad-number", "`heptactl operations` shows what there is").await;
        number.map(|number| OperationPath(OperationId(number)))
    }
}

impl FromRequestParts<Arc<AppState>> for Peer {
    type Rejection = Refusal;
    async fn from_request_parts(parts: &mut Parts, app: &Arc<AppState>) -> Result<Self, Refusal> {
        parts
            .extensions
            .get::<Peer>()
            .cloned()
            .ok_or_else(|| Refusal::forbidden(&app.rules, Role::Operator))
    }
}

impl FromRequestParts<Arc<AppState>> for KeyText {
    type Rejection = Refusal;
    async fn from_request_parts(parts: &mut Parts, _: &Arc<AppState>) -> Result<Self, Refusal> {
        let Some(key) = parts.headers.get("idempotency-key") else {
            return Ok(KeyText(None));
        };
        let bytes = key.as_bytes();
        let fits = (1..=KEY_LENGTH).contains(&bytes.len());
        match key.to_str() {
            Ok(text) if fits && bytes.iter().all(u8::is_ascii_graphic) => {
                Ok(KeyText(Some(text.into())))
            }
            _ => Err(Refusal::bad(
                "bad-key",
                "the Idempotency-Key is not 1 to 128 visible ASCII characters",
                "a UUID is a good one",
            )),
        }
    }
}

impl<B, Q> FromRequest<Arc<AppState>> for Wish<B, Q>
where
    B: DeserializeOwned + Serialize,
    Q: DeserializeOwned + Serialize + Send,
{
    type Rejection = Refusal;
    async fn from_request(request: Request, app: &Arc<AppState>) -> Result<Self, Refusal> {
        let (mut parts, body) = request.into_parts();
        let KeyText(text) = KeyText::from_request_parts(&mut parts, app).await?;
        let (dry_run, rest) = dry_run(parts.uri.query().unwrap_or_default())?;
        let query: Q = serde_urlencoded::from_str(&rest).map_err(bad_query)?;
        let peer = Peer::from_request_parts(&mut parts, app).await?;
        let (method, path) = (parts.method.clone(), parts.uri.path().to_owned());
        let JsonBody(body) =
            JsonBody::<B>::from_request(Request::from_parts(parts, body), app).await?;
        // As it was understood, so that blanks and the order of fields make no other request of it.
        let all = (peer.uid(), method.as_str(), path, &query, &body);
        let whole = serde_json::to_vec(&all).map_err(|error| {
            Refusal::bad("bad-body", format!("the request: {error}"), "write it another way")
        })?;
        let digest = Some(Digest(Sha256::digest(whole).into()));
        let terms = Terms { key: text.map(|text| Key { text, digest }), dry_run };
        Ok(Self { terms, query, body })
    }
}

impl<T: DeserializeOwned> FromRequestParts<Arc<AppState>> for Query<T> {
    type Rejection = Refusal;
    async fn from_request_parts(parts: &mut Parts, _: &Arc<AppState>) -> Result<Self, Refusal> {
        let query = parts.uri.query().unwrap_or_default();
        serde_urlencoded::from_str(query).map(Query).map_err(bad_query)
    }
}

impl<T: DeserializeOwned> FromRequest<Arc<AppState>> for JsonBody<T> {
    type Rejection = Refusal;
    async fn from_request(request: Request, app: &Arc<AppState>) -> Result<Self, Refusal> {
        let limits = &app.limits;
        let headers = request.headers().clone();
        if announced(&headers).is_some_and(|length| length > limits.body_bytes) {
            return Err(too_large(limits.body_bytes));
        }
        let read = timeout(limits.body, read(request.into_body(), limits.body_bytes)).await;
        let bytes = read.map_err(|_| slow())??;
        if bytes.is_empty() {
            return parse(b"{}").map(JsonBody);
        }
        if !is_json(&headers) {
            return Err(Refusal::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "not-json",
                "the body must be sent as application/json",
                "add the header `Content-Type: application/json` (curl: --json)",
            ));
        }
        parse(&bytes).map(JsonBody)
    }
}

async fn read(body: Body, limit: usize) -> Result<Vec<u8>, Refusal> {
    match Limited::new(body, limit).collect().await {
        Ok(body) => Ok(body.to_bytes().to_vec()),
        Err(error) if error.is::<LengthLimitError>() => Err(too_large(limit)),
        Err(_) => Err(Refusal::bad("cut-off", "the body ended too early", "send it again")),
    }
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Refusal> {
    // Fields by their order are nobody's wish.
    if bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[') {
        let hint = "write an object: {\"name\": ...}";
        return Err(Refusal::bad(
            "bad-body",
            "the body: expected an object, and it is a list",
            hint,
        ));
    }
    serde_json::from_slice(bytes).map_err(|error| {
        let message = error.to_string();
        let code = if error.is_data() { "bad-body" } else { "malformed-json" };
        Refusal::bad(code, format!("the body: {}", brief(&message)), guess(&message))
    })
}

fn announced(headers: &HeaderMap) -> Option<usize> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let kind = value.and_then(|value| value.split(';').next());
    kind.is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

fn too_large(limit: usize) -> Refusal {
    let message = format!("the body is larger than {limit} bytes");
    Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", message, "send less")
}

fn slow() -> Refusal {
    let message = "the body did not come in time";
    Refusal::new(StatusCode::REQUEST_TIMEOUT, "slow-body", message, "send it again")
}

/// Enough of a text to recognise it.
fn brief(text: &str) -> String {
    match text.char_indices().nth(ECHO) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.into(),
    }
}

/// What was probably meant, from serde's message: the wrong word and the right ones are in
/// backquotes, in this order.
fn guess(message: &str) -> String {
    if !message.starts_with("unknown field `") && !message.starts_with("unknown variant `") {
        return "GET /v1/openapi.json describes every route".into();
    }
    let mut words = message.split('`').skip(1).step_by(2);
    let wrong = words.next().unwrap_or_default();
    match similar(wrong, words) {
        Some(right) => format!("did you mean {right}?"),
        None => "GET /v1/openapi.json describes every route".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::wire::{ForgetBody, KeepBody, TakeBody};

    #[test]
    fn a_bad_body_is_refused_with_its_place_and_a_guess() {
        let check = |body: &str, code: &str, part: &str, hint: &str| {
            let refuse = parse::<TakeBody>(body.as_bytes()).unwrap_err();
            assert_eq!(refuse.status, StatusCode::BAD_REQUEST, "{body}");
            let refusal = refuse.refusal;
            assert_eq!(refusal.code, code, "{body}");
            assert!(refusal.message.contains(part), "{body}: {}", refusal.message);
            assert!(refusal.hint.contains(hint), "{body}: {}", refusal.hint);
        };
        check("{\"nmae\": \"x\"}", "bad-body", "line 1 column 7", "did you mean name?");
        check("{\"colour\": 1}", "bad-body", "unknown field `colour`", "openapi.json");
        check("{\"name\": 7}", "bad-body", "expected a string", "openapi.json");
        check("{\"name\": \"a\", \"name\": \"b\"}", "bad-body", "duplicate field", "");
        check("{\"name\": \"a\"", "malformed-json", "line 1 column 12", "");
        check("{\"name\": \"\\ud800\"}", "malformed-json", "hex escape", "");
        check("", "malformed-json", "EOF", "");
        check(&"[".repeat(10_000), "bad-body", "expected", "");
        check("{\"name\":\"a\",\"tags\":{\"k\":1e999}}", "malformed-json", "out of range", "");
        let long = format!("{{\"{}\":1}}", "x".repeat(5_000));
        assert!(parse::<TakeBody>(long.as_bytes()).unwrap_err().refusal.message.len() < 300);
        let missing = parse::<KeepBody>(b"{}").unwrap_err().refusal;
        assert!(missing.message.contains("missing field `name`"), "{}", missing.message);
        let variant = parse::<ForgetBody>(b"{\"automatic\":\"trsh\"}").unwrap_err();
        assert_eq!(variant.refusal.hint, "did you mean trash?");
    }
}
