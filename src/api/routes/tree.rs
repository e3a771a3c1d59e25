//! Looking into the files of snapshots. For admins only: who may read any file of the past is root
//! in all but name.

use super::super::browse_error::refuse;
use super::super::extract::{Query, SnapshotPath};
use super::super::refusal::Refusal;
use super::super::service::{OpenFile, Target};
use super::super::state::Shared;
use crate::api::answers::{View, differences, listing};
use crate::api::roles::Peer;
use crate::api::wire::{
    DiffQuery, Differences, FileQuery, Listing, MODE_HEADER, MTIME_HEADER, OWNER_HEADER,
    SNAPSHOT_HEADER, TreeQuery, escape, unescape,
};
use crate::domain::denied::Denied;
use crate::domain::snapshot::{Fate, Selector};
use crate::domain::tree::{BrowseError, TreePath};
use axum::Json;
use axum::body::Body;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use futures_util::Stream;
use futures_util::stream::unfold;
use std::io;
use std::time::Duration;
use tokio::time::timeout;

/// Most entries or differences of one answer; also how many without a limit.
const PAGE: u32 = 1_000;

/// A directory of a snapshot, page by page; or one entry, if the path is no directory.
#[utoipa::path(get, path = "/v1/snapshots/{ref}/tree",
    params(("ref" = String, Path, description = "NAME, RESOURCE@SLOT or RESOURCE@latest"),
        TreeQuery),
    responses((status = 200, body = Listing)))]
pub(super) async fn tree(
    app: Shared,
    SnapshotPath(wanted): SnapshotPath,
    Query(query): Query<TreeQuery>,
) -> Result<Json<Listing>, Refusal> {
    let path = parse_path(query.path.as_deref().unwrap_or_default())?;
    let after = query.after.as_deref().map(bytes).transpose()?;
    let limit = page(query.limit)?;
    let (label, target) = app.look(|view| readable(view, &wanted))?;
    let resource = target.resource.to_string();
    let listed = app.soon(app.service.list_files(target, path.clone(), after, limit)).await?;
    let listed = listed.map_err(|why| refuse(&why, &label, &path))?;
    Ok(Json(listing(label, resource, &path, &listed)))
}

/// The bytes of one regular file. `Heptad-Mode` and `Heptad-Mtime` (seconds since 1970 with nine
/// decimals) are the file's, `Heptad-Snapshot` is the snapshot's label.
#[utoipa::path(get, path = "/v1/snapshots/{ref}/file",
    params(("ref" = String, Path, description = "NAME, RESOURCE@SLOT or RESOURCE@latest"),
        FileQuery),
    responses((status = 200, content_type = "application/octet-stream", body = String)))]
pub(super) async fn file(
    app: Shared,
    peer: Peer,
    SnapshotPath(wanted): SnapshotPath,
    Query(query): Query<FileQuery>,
) -> Result<Response, Refusal> {
    let path = parse_path(&query.path)?;
    let (label, target) = app.look(|view| readable(view, &wanted))?;
    let shown = escape(path.as_bytes());
    let uid = peer.uid();
    tracing::info!(uid, snapshot = label, path = shown, "uid {uid} reads {shown} of {label}");
    let opened = app.soon(app.service.open_file(target, path.clone())).await?;
    let OpenFile { entry, bytes } = opened.map_err(|why| refuse(&why, &label, &path))?;
    let headers = [
        (CONTENT_TYPE.as_str(), "application/octet-stream".to_owned()),
        (CONTENT_LENGTH.as_str(), entry.size.to_string()),
        (MODE_HEADER, format!("{:04o}", entry.mode)),
        (OWNER_HEADER, format!("{}:{}", entry.uid, entry.gid)),
        (MTIME_HEADER, entry.mtime.to_string()),
        (SNAPSHOT_HEADER, label),
    ];
    let body = Body::from_stream(pieces(bytes, app.limits.answer));
    Ok((headers, body).into_response())
}

/// What was added, removed and changed from this snapshot to the one in `against`.
#[utoipa::path(get, path = "/v1/snapshots/{ref}/diff",
    params(("ref" = String, Path, description = "NAME, RESOURCE@SLOT or RESOURCE@latest"),
        DiffQuery),
    responses((status = 200, body = Differences)))]
pub(super) async fn diff(
    app: Shared,
    SnapshotPath(wanted): SnapshotPath,
    Query(query): Query<DiffQuery>,
) -> Result<Json<Differences>, Refusal> {
    let against: Selector = query.against.parse().map_err(|error| {
        let message = format!("against: {error}");
        Refusal::bad("bad-reference", message, "`heptactl list` lists them")
    })?;
    let path = parse_path(query.path.as_deref().unwrap_or_default())?;
    let after = query.after.as_deref().map(parse_path).transpose()?;
    let limit = page(query.limit)?;
    let ((from, old), (to, new)) =
        app.look(|view| Ok::<_, Denied>((readable(view, &wanted)?, readable(view, &against)?)))?;
    let asked = app.service.compare_files(old, new, path.clone(), after, limit);
    let both = || format!("{from} or {to}");
    let found = app.soon(asked).await?.map_err(|why| match why {
        BrowseError::NotThere => refuse(&why, &from, &path),
        why => refuse(&why, &both(), &path),
    })?;
    Ok(Json(differences(from, to, &path, &found)))
}

/// The label and the place of a snapshot whose content can be trusted to be what was taken, also
/// of one in the trash.
pub(super) fn readable(view: &View<'_>, wanted: &Selector) -> Result<(String, Target), Denied> {
    let (account, snapshot) = view.find(wanted)?;
    let health = match snapshot.fate {
        Fate::Doomed { .. } => Some("being destroyed"),
        _ if snapshot.health.is_readable() => None,
        _ => Some(snapshot.health.word()),
    };
    match health {
        Some(health) => {
            Err(Denied::NotUsable { snapshot: snapshot.label(), health: health.into() })
        }
        None => {
            let handle = snapshot.card.handle.clone();
            Ok((snapshot.label(), Target { resource: account.name().clone(), handle }))
        }
    }
}

fn bytes(text: &str) -> Result<Vec<u8>, Refusal> {
    unescape(text).map_err(|error| {
        let hint = "write it as `heptactl browse` shows it";
        Refusal::bad("bad-path", error.to_string(), hint)
    })
}

fn parse_path(text: &str) -> Result<TreePath, Refusal> {
    TreePath::new(&bytes(text)?).map_err(|error| {
        let shown: String = text.chars().take(60).collect();
        let hint = "write it from the top of the snapshot: etc/hosts";
        Refusal::bad("bad-path", format!("{shown:?} {error}"), hint)
    })
}

fn page(limit: Option<u32>) -> Result<usize, Refusal> {
    let limit = limit.unwrap_or(PAGE);
    if !(1..=PAGE).contains(&limit) {
        let hint = format!("ask for 1 to {PAGE}, then for what comes after");
        return Err(Refusal::bad("bad-value", format!("limit={limit}"), hint));
    }
    Ok(usize::try_from(limit).unwrap_or(usize::MAX))
}

type Pieces = tokio::sync::mpsc::Receiver<io::Result<Vec<u8>>>;

/// Breaks off when nothing comes for so long: the pool is stuck.
fn pieces(pieces: Pieces, limit: Duration) -> impl Stream<Item = io::Result<Vec<u8>>> {
    unfold(pieces, move |mut pieces| async move {
        let next = timeout(limit, pieces.recv()).await;
        let late = |_| Some(Err(io::Error::new(io::ErrorKind::TimedOut, "its disk hangs")));
        Some((next.unwrap_or_else(late)?, pieces))
    })
}
