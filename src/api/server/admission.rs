//! Counting connections, so that no user can shut out another.

use super::super::refusal::Refusal;
use super::super::roles::{Peer, Role};
use super::Limits;
use axum::Router;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// How many connections at once are told that there are too many; more are just closed.
const TOLD: usize = 16;

pub(super) struct Admissions {
    limits: Limits,
    counts: Mutex<Counts>,
}

#[derive(Default)]
struct Counts {
    all: usize,
    by_uid: HashMap<u32, usize>,
    told: usize,
}

pub(super) enum Admission {
    Open(Permit),
    /// Too many: it may hear so.
    Full(Permit),
    Shut,
}

/// Counts as one connection until it is dropped.
pub(super) struct Permit {
    admissions: Arc<Admissions>,
    /// None for one that only hears that there are too many.
    uid: Option<u32>,
}

impl Admissions {
    pub(super) fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Self { limits, counts: Mutex::default() })
    }

    pub(super) fn enter(self: &Arc<Self>, peer: &Peer) -> Admission {
        let Limits { connections, reserved, per_uid, .. } = self.limits;
        let (uid, is_admin) = (peer.uid(), peer.role == Role::Admin);
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let mine = counts.by_uid.get(&uid).copied().unwrap_or(0);
        let room = if is_admin { connections } else { connections.saturating_sub(reserved) };
        if counts.all < room && (is_admin || mine < per_uid) {
            counts.all += 1;
            *counts.by_uid.entry(uid).or_default() += 1;
            return Admission::Open(Permit { admissions: Arc::clone(self), uid: Some(uid) });
        }
        if counts.told < TOLD {
            counts.told += 1;
            return Admission::Full(Permit { admissions: Arc::clone(self), uid: None });
        }
        Admission::Shut
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut counts = self.admissions.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(uid) = self.uid else {
            counts.told -= 1;
            return;
        };
        counts.all -= 1;
        if let Some(mine) = counts.by_uid.get_mut(&uid) {
            *mine -= 1;
            if *mine == 0 {
                counts.by_uid.remove(&uid);
            }
        }
    }
}

/// What a connection meets that is one too many.
pub(super) fn full() -> Router {
    Router::new().fallback(|| async { too_many() })
}

fn too_many() -> Response {
    let refuse = Refusal::new(
        StatusCode::TOO_MANY_REQUESTS,
        "too-many-connections",
        "there are too many connections",
        "close some of yours, or try again in a moment",
    );
    let mut answer = refuse.into_response();
    let headers = answer.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    answer
}

#[cfg(test)]
mod tests {
    use super::super::super::roles::{Credentials, Rules};
    use super::*;

    fn peer(uid: u32) -> Peer {
        let rules = Rules { own_uid: 0, group: None, admin_group: None };
        Peer::new(Credentials { uid, groups: Vec::new(), pid: None }, &rules)
    }

    #[test]
    fn no_user_can_shut_out_another_and_root_always_finds_a_place() {
        let limits = Limits { connections: 6, reserved: 2, per_uid: 3, ..Limits::default() };
        let admissions = Admissions::new(limits);
        let mut held = Vec::new();
        let mut check = |uid, open| {
            let door = admissions.enter(&peer(uid));
            assert_eq!(matches!(door, Admission::Open(_)), open, "uid {uid}");
            if open {
                held.push(door);
            }
        };
        for (uid, open) in [(7, true), (7, true), (7, true), (7, false), (8, true), (8, false)] {
            check(uid, open);
        }
        for (uid, open) in [(0, true), (0, true), (0, false)] {
            check(uid, open);
        }
        held.clear();
        assert!(matches!(admissions.enter(&peer(7)), Admission::Open(_)));
        let counts = admissions.counts.lock().unwrap();
        assert_eq!((counts.all, counts.by_uid.len(), counts.told), (0, 0, 0));
    }

    #[test]
    fn a_flood_is_told_to_a_few_and_then_just_closed() {
        let admissions =
            Admissions::new(Limits { connections: 0, reserved: 0, ..Limits::default() });
        let told: Vec<Admission> = (0..TOLD).map(|_| admissions.enter(&peer(7))).collect();
        assert!(told.iter().all(|door| matches!(door, Admission::Full(_))));
        assert!(matches!(admissions.enter(&peer(7)), Admission::Shut));
    }
}
