//! The socket itself.

use super::caller::get;
use super::stub::Scene;
use heptad::api::server::{ListenError, Listener};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use tokio::runtime::Runtime;

#[test]
fn a_socket_is_made_for_everyone_and_taken_away_at_the_end() {
    let mut scene = Scene::new();
    let mode = std::fs::metadata(scene.socket()).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o666);
    assert_eq!(get(&scene, "/v1/health").0, 200);
    scene.end();
    assert!(!scene.socket().exists());
}

#[test]
fn a_dead_socket_is_replaced_and_anything_else_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let runtime = Runtime::new().unwrap();
    let _inside = runtime.enter();
    let path = dir.path().join("s");
    drop(UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    let first = Listener::bind(&path).unwrap();
    assert!(matches!(Listener::bind(&path), Err(ListenError::Answered(_))));
    UnixStream::connect(&path).unwrap();
    // A successor's file is not taken away by the one before.
    std::fs::remove_file(&path).unwrap();
    let second = Listener::bind(&path).unwrap();
    drop(first);
    UnixStream::connect(&path).unwrap();
    drop(second);
    assert!(!path.exists());
    std::fs::write(&path, "precious").unwrap();
    assert!(matches!(Listener::bind(&path), Err(ListenError::NotASocket(_))));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
}

#[test]
fn a_path_that_cannot_be_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let runtime = Runtime::new().unwrap();
    let _inside = runtime.enter();
    let long = dir.path().join("x".repeat(108));
    let error = Listener::bind(&long).unwrap_err();
    assert!(matches!(error, ListenError::TooLong(_)), "{error}");
    let error = Listener::bind(&dir.path().join("no/such/s")).unwrap_err();
    assert!(matches!(error, ListenError::NoDirectory(_)), "{error}");
}

#[test]
fn a_socket_of_systemds_is_taken_over_and_its_file_stays() {
    let dir = tempfile::tempdir().unwrap();
    let runtime = Runtime::new().unwrap();
    let _inside = runtime.enter();
    let path = dir.path().join("s");
    let made = UnixListener::bind(&path).unwrap();
    let listener = Listener::inherited(OwnedFd::from(made)).unwrap();
    UnixStream::connect(&path).unwrap();
    drop(listener);
    assert!(path.exists());
    let file = std::fs::File::open(dir.path()).unwrap();
    assert!(matches!(Listener::inherited(file.into()), Err(ListenError::Inherited(_))));
}

#[test]
fn no_socket_is_made_where_its_directory_can_be_exchanged() {
    let dir = tempfile::tempdir().unwrap();
    let runtime = Runtime::new().unwrap();
    let _inside = runtime.enter();
    let theirs = dir.path().join("theirs");
    std::fs::create_dir(&theirs).unwrap();
    std::os::unix::fs::chown(&theirs, Some(1000), None).unwrap();
    let error = Listener::bind(&theirs.join("s")).unwrap_err();
    assert!(matches!(error, ListenError::Distrusted { .. }), "{error}");
    assert!(error.to_string().contains("theirs belongs to uid 1000"), "{error}");
    assert_eq!(std::fs::read_dir(&theirs).unwrap().count(), 0);
}
