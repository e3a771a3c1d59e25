//! The control interface: HTTP/1.1 with JSON on a Unix socket.
//!
//! This room turns requests into the domain's requests and the published ledger into answers. It
//! knows the domain and sees the daemon only through [`Service`](service::Service); it must not
//! know the catalogue, a backend or the configuration's layout, and it decides nothing.
//!
//! | method and path | role | answer |
//! |---|---|---|
//! | GET /v1/status | operator | [`wire::Status`] |
//! | GET /v1/health | operator | [`wire::Health`] |
//! | GET /v1/openapi.json | operator | the OpenAPI document |
//! | GET /metrics | operator | OpenMetrics text |
//! | GET /v1/resources?after=&limit= | operator | [`wire::Resources`] |
//! | GET /v1/resources/{name} | operator | [`wire::ResourceDetail`] |
//! | GET /v1/resources/{name}/slots?day= | operator | [`wire::Slots`] |
//! | GET /v1/resources/{name}/forecast?days= | operator | [`wire::Forecasts`] of one |
//! | GET /v1/forecast?days=&after=&limit= | operator | [`wire::Forecasts`] |
//! | GET /v1/fee?month= | operator | [`wire::Fees`] |
//! | GET /v1/resources/{name}/fee?month= | operator | [`wire::Fees`] of one |
//! | GET /v1/plans | operator | [`wire::Plans`] |
//! | GET /v1/blueprints | operator | [`wire::Blueprints`] |
//! | GET /v1/snapshots?resource=&origin=&all=&after=&limit= | operator | [`wire::Snapshots`] |
//! | GET /v1/snapshots/{ref} | operator | [`wire::Snapshot`] |
//! | GET /v1/snapshots/{ref}/tree?path=&limit=&after= | admin | [`wire::Listing`] |
//! | GET /v1/snapshots/{ref}/file?path= | admin | the file's bytes |
//! | GET /v1/snapshots/{ref}/diff?against=&path=&limit=&after= | admin | [`wire::Differences`] |
//! | GET /v1/operations?resource=&open=&before=&limit= | operator | [`wire::Operations`] |
//! | GET /v1/operations/{id}?wait= | operator | [`wire::Operation`] |
//! | POST /v1/operations/{id}/cancel | operator (its own) | [`wire::Accepted`] |
//! | GET /v1/events?after=&wait= | operator | events named `changes`, or one [`wire::Changes`] |
//! | POST /v1/resources | admin | [`wire::ProtectBody`] → [`wire::Protected`] |
//! | POST /v1/resources/{name}/snapshots | operator | [`wire::TakeBody`] → [`wire::Accepted`] |
//! | POST /v1/resources/{name}/tags | operator | [`wire::TagBody`] → [`wire::Accepted`] |
//! | POST /v1/resources/{name}/enable | operator | [`wire::EnableBody`] → [`wire::Accepted`] |
//! | POST /v1/resources/{name}/disable | operator | [`wire::Accepted`] |
//! | PUT /v1/resources/{name}/time | operator | [`wire::SetTimeBody`] → [`wire::Accepted`] |
//! | POST /v1/resources/{name}/reset | operator | [`wire::Accepted`] |
//! | POST /v1/resources/{name}/acknowledge | admin | [`wire::Accepted`] |
//! | POST /v1/resources/{name}/rotate | admin | [`wire::Accepted`] |
//! | POST /v1/resources/{name}/forget | admin | [`wire::ForgetBody`] → [`wire::Accepted`] |
//! | POST /v1/snapshots/{ref}/keep | operator | [`wire::KeepBody`] → [`wire::Accepted`] |
//! | POST /v1/snapshots/{ref}/tags | operator | [`wire::TagBody`] → [`wire::Accepted`] |
//! | POST /v1/snapshots/{ref}/create | admin | [`wire::CreateBody`] → [`wire::Accepted`] |
//! | DELETE /v1/snapshots/{ref}?now= | admin | [`wire::Accepted`] |
//! | POST /v1/snapshots/{ref}/undelete | admin | [`wire::Accepted`] |
//! | POST /v1/check | operator | [`wire::Check`] |
//! | POST /v1/reload | admin | [`wire::Reloaded`] |
//!
//! A `{ref}` is a manual snapshot's name, `RESOURCE@DATE`, `RESOURCE@INSTANT` or
//! `RESOURCE@latest`. A change answers 202 with its operation, or 200 when that is finished
//! already; the header `Idempotency-Key` makes it safe to send again, and a key that comes with
//! another request is refused. Every refusal is a [`wire::Refused`].

mod answers;
mod browse_error;
mod changes;
pub mod client;
mod denied;
mod extract;
mod heavy;
mod limits;
mod lines;
mod meaning;
mod refusal;
pub mod roles;
mod routes;
pub mod server;
pub mod service;
pub mod start;
mod state;
mod stopping;
pub mod telling;
mod unprotectable;
pub mod wire;
