//! Looks at the places that heptad writes to, before it does: stores, state and socket. It touches
//! disks, which may be away and never answer, so it waits only so long.

use super::setup::Setup;
use crate::config::{Effect, Finding, Locations};
use crate::host::trust::trusted_place;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

/// For all places together; a healthy disk answers in milliseconds.
const TIMEOUT: Duration = Duration::from_secs(5);

/// What is wrong with the places of a configuration. A store that is not to be trusted is refused
/// by every snapshot that would go there, too.
pub(super) fn findings(setup: &Setup) -> Vec<Finding> {
    let config = &setup.config;
    let stores = setup.bound.iter().filter_map(|(name, binding)| {
        let store = binding.backend.territory().store?;
        let configured = config.get(name)?.options.contains_key("store");
        let key = if configured { "store" } else { "" };
        Some((store, config.locate(name, key, "", "")))
    });
    let own = [&config.daemon.state, &config.daemon.socket].map(|path| {
        let whole = Finding { file: Some(config.file().into()), ..of("daemon") };
        (path.clone(), whole)
    });
    let mut places: Vec<(PathBuf, Finding)> = stores.collect();
    // Where none is configured it lies in the state directory.
    places.retain(|(path, _)| !path.starts_with(&config.daemon.state));
    places.extend(own);
    judge(places, |path| trusted_place(path).err().map(|why| why.to_string()))
}

/// Whoever can write the configuration has heptad run programs with heptad's rights.
pub(super) fn configuration(locations: &Locations) -> Vec<Finding> {
    let Locations { file, drop_ins, .. } = locations;
    let entries = std::fs::read_dir(drop_ins).into_iter().flatten().flatten();
    let drops = entries.map(|entry| entry.path());
    let drops = drops.filter(|path| path.extension().is_some_and(|ending| ending == "toml"));
    let mut findings: Vec<Finding> = Vec::new();
    for path in [file.clone(), drop_ins.clone()].into_iter().chain(drops) {
        let Err(why) = trusted_place(&path) else { continue };
        let why = why.to_string();
        let (problem, hint) = why.split_once("; ").unwrap_or((&why, ""));
        let problem = format!("{problem}: whoever writes there lets heptad run any program");
        // A directory that all of them lie in is told once.
        if findings.iter().all(|told| told.problem != problem) {
            let whole = Finding { file: Some(path), ..of("") };
            findings.push(Finding { problem, hint: hint.into(), ..whole });
        }
    }
    findings
}

fn of(key: &str) -> Finding {
    Finding {
        file: None,
        line: None,
        column: None,
        key: key.into(),
        problem: String::new(),
        hint: String::new(),
        effect: Effect::Hampers,
    }
}

/// Judges each place on another thread. What has not answered in time is a finding as well.
fn judge(
    places: Vec<(PathBuf, Finding)>,
    trusted: impl Fn(&Path) -> Option<String> + Send + 'static,
) -> Vec<Finding> {
    let (answer, answers) = channel();
    let paths: Vec<PathBuf> = places.iter().map(|(path, _)| path.clone()).collect();
    std::thread::spawn(move || paths.iter().try_for_each(|path| answer.send(trusted(path))));
    let mut findings = Vec::new();
    for (path, place) in places {
        let (problem, hint) = match answers.recv_timeout(TIMEOUT) {
            Ok(None) => continue,
            Ok(Some(why)) => why
                .split_once("; ")
                .map_or((why.clone(), String::new()), |(a, b)| (a.into(), b.into())),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                let problem = format!("{} does not answer", path.display());
                findings.push(Finding { problem, hint: "is its disk there?".into(), ..place });
                // Those behind it wait for the same thread.
                break;
            }
        };
        findings.push(Finding { problem, hint, effect: Effect::Hampers, ..place });
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_that_others_can_write_is_told_with_what_is_open() {
        use std::os::unix::fs::PermissionsExt;
        let scratch = tempfile::tempdir().unwrap();
        let dir = scratch.path().join("heptad");
        std::fs::create_dir_all(dir.join("conf.d")).unwrap();
        let set = |name: &str, mode| {
            let mode = std::fs::Permissions::from_mode(mode);
            std::fs::set_permissions(dir.join(name), mode).unwrap();
        };
        for file in ["heptad.toml", "conf.d/a.toml"] {
            std::fs::write(dir.join(file), "").unwrap();
        }
        let system = Locations::system().with_file(dir.join("heptad.toml"));
        let check = |name: &str, mode, want: usize| {
            for (name, mode) in [("", 0o755), ("conf.d", 0o755), ("heptad.toml", 0o640)] {
                set(name, mode);
            }
            set("conf.d/a.toml", 0o644);
            set(name, mode);
            let found = configuration(&system);
            assert_eq!(found.len(), want, "{name} {mode:o}: {found:?}");
            assert!(found.iter().all(|f| f.hint.contains("chmod go-w")), "{found:?}");
            let place = dir.join(name).display().to_string();
            let named = |f: &Finding| f.problem.contains(place.trim_end_matches('/'));
            assert!(found.iter().all(named), "{found:?}");
        };
        check("heptad.toml", 0o600, 0);
        check("heptad.toml", 0o666, 1);
        check("", 0o777, 1);
        check("conf.d", 0o777, 1);
        check("conf.d/a.toml", 0o646, 1);
    }

    #[test]
    fn a_place_is_told_with_the_way_out_and_one_that_never_answers_holds_nobody_up() {
        let places = ["/good", "/bad", "/dead", "/behind"];
        let places = places.map(|path| (PathBuf::from(path), of("store"))).to_vec();
        let (_never, forever) = channel::<()>();
        let forever = std::sync::Mutex::new(forever);
        let judged = judge(places, move |path| match path.to_str() {
            Some("/bad") => Some("it is open; close it".into()),
            Some("/dead") => forever.lock().unwrap().recv().err().map(|_| String::new()),
            _ => None,
        });
        let told: Vec<String> = judged.iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            ["store: it is open; close it", "store: /dead does not answer; is its disk there?"]
        );
    }
}
