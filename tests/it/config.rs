//! The configuration as users write it: whole files in, meaning or findings out.

use heptad::config::{
    Config, DaemonDefaults, FILE_LIMIT, Findings, Locations, Origin, examine, load,
};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// `NAME.toml` with the drop-ins in `NAME.d`.
fn locations(file: &Path) -> Locations {
    Locations {
        file: file.into(),
        drop_ins: file.with_extension("d"),
        defaults: DaemonDefaults {
            socket: "/run/heptad/heptad.sock".into(),
            state: "/var/lib/heptad".into(),
        },
    }
}

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A scratch directory with the given files in it; `heptad.toml` is the main one.
fn scratch(files: &[(&str, &[u8])]) -> (tempfile::TempDir, Locations) {
    let dir = tempfile::tempdir().unwrap();
    for (name, content) in files {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    let locations = locations(&dir.path().join("heptad.toml"));
    (dir, locations)
}

fn env(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
}

/// Compares with the file beside it. With `UPDATE_EXPECTED=1` the file is written instead, for a
/// person to read the difference.
fn check_expected(file: &Path, got: &str) {
    let expected = file.with_extension("expected");
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        fs::write(&expected, got).unwrap();
    }
    let want = fs::read_to_string(&expected).unwrap_or_default();
    assert_eq!(got, want, "{}", expected.display());
}

fn every_toml(dir: &Path, check: impl Fn(&Path)) {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        entries.filter(|file| file.extension().is_some_and(|end| end == "toml")).collect();
    files.sort();
    assert!(!files.is_empty(), "{}", dir.display());
    files.iter().for_each(|file| check(file));
}

fn show(config: &Config) -> String {
    let mut text = format!("{:?}\n{:?}\n", config.daemon, config.fee);
    for offer in config.plans.values() {
        let price = offer.price.map(|price| format!(" for {price}")).unwrap_or_default();
        writeln!(text, "{}{price}", offer.plan).unwrap();
    }
    config.blueprints.values().for_each(|blueprint| writeln!(text, "{blueprint:?}").unwrap());
    for declared in &config.resources {
        let resource = &declared.resource;
        let (policy, binding) = (&resource.policy, &resource.backend);
        let retention = &policy.retention;
        let tiers = [retention.latest, retention.weekly, retention.monthly, retention.yearly];
        writeln!(
            text,
            "\n{}: {} by {} {}\n  {} +{}s, keep {tiers:?}, enabled {}, tags {:?}",
            resource.name,
            resource.kind,
            binding.kind,
            binding.options,
            policy.rhythm,
            policy.rhythm.offset,
            policy.enabled,
            resource.tags,
        )
        .unwrap();
        if let Some(plan) = &resource.plan {
            writeln!(text, "  plan {plan}").unwrap();
        }
        if let Some(blueprint) = &resource.blueprint {
            writeln!(text, "  blueprint {blueprint}").unwrap();
        }
        declared.hooks.before.iter().for_each(|hook| writeln!(text, "  before {hook:?}").unwrap());
        declared.hooks.after.iter().for_each(|hook| writeln!(text, "  after {hook:?}").unwrap());
    }
    text
}

#[test]
fn good_files_mean_what_they_say() {
    every_toml(&repository("tests/data/config/good"), |file| {
        let config = load(&locations(file), &[]).unwrap_or_else(|f| panic!("{f}"));
        check_expected(file, &show(&config));
    });
}

#[test]
fn bad_files_are_refused_with_every_finding_at_once() {
    let dir = repository("tests/data/config/bad");
    every_toml(&dir, |file| {
        let findings = load(&locations(file), &[]).expect_err(&file.display().to_string());
        let text = format!("{findings}\n").replace(&format!("{}/", dir.display()), "");
        check_expected(file, &text);
    });
}

#[test]
fn every_example_is_valid() {
    every_toml(&repository("config/examples"), |file| {
        let config = load(&locations(file), &[]).unwrap_or_else(|f| panic!("{f}"));
        assert!(!config.resources.is_empty(), "{}", file.display());
        assert!(config.remarks().is_empty(), "{}", file.display());
    });
}

/// Left out here, an option of a backend would be known to its author only.
#[test]
fn every_example_builds_its_backends_and_shows_each_of_their_options() {
    use heptad::backend::options::Context;
    use heptad::backend::registry::{build, names};
    for name in names() {
        let file = repository(&format!("config/examples/{name}.toml"));
        let setup = heptad::daemon::check::prepare(&locations(&file), &[]);
        let setup = setup.unwrap_or_else(|findings| panic!("{findings}"));
        assert_eq!(setup.bound.len(), setup.config.resources.len(), "{name}");
        let shown: Vec<&String> = setup
            .config
            .resources
            .iter()
            .inspect(|declared| assert_eq!(declared.resource.backend.kind, name))
            .flat_map(|declared| declared.options.keys())
            .collect();
        let context = Context { resource: "some".parse().unwrap(), state: "/nowhere".into() };
        let unknown = serde_json::Map::from_iter([("no such option".into(), true.into())]);
        let findings = build(name, &unknown, &context).unwrap_err();
        let hint = findings.iter().find_map(|found| found.hint.strip_prefix("known are "));
        for option in hint.unwrap().split(", ") {
            assert!(shown.iter().any(|key| *key == option), "{name}.toml does not show {option}");
        }
    }
}

/// The reference as it is after a person has uncommented every setting in it.
fn uncommented() -> String {
    let text = fs::read_to_string(repository("config/heptad.toml")).unwrap();
    let setting = |line: &str| match line.strip_prefix('#') {
        Some(rest) if !rest.is_empty() && !rest.starts_with([' ', ':']) => rest.to_owned(),
        _ => line.to_owned(),
    };
    text.lines().map(setting).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_reference_is_valid_and_empty_as_it_stands() {
    let config = load(&locations(&repository("config/heptad.toml")), &[]).unwrap();
    assert!(config.resources.is_empty());
    let remarks: Vec<String> = config.remarks().iter().map(ToString::to_string).collect();
    assert!(remarks[0].contains("config/heptad.toml: declares no resource; add"), "{remarks:?}");
}

#[test]
fn the_reference_is_valid_with_every_setting_in_it_uncommented() {
    let (_dir, locations) = scratch(&[("heptad.toml", uncommented().as_bytes())]);
    let config = load(&locations, &[]).unwrap_or_else(|findings| panic!("{findings}"));
    assert_eq!(config.resources.len(), 3);
    let (_dir, bare) = scratch(&[("heptad.toml", b"")]);
    let builtin = load(&bare, &[]).unwrap();
    let shown = (&config.daemon, &config.fee);
    assert_eq!(shown, (&builtin.daemon, &builtin.fee), "the reference shows other values");
}

#[test]
fn the_defaults_that_the_reference_shows_are_the_built_in_ones() {
    let resource = "\n[resource.probe]\nfiles = {}\n";
    let whole = uncommented();
    let start = whole.find("\n[defaults]\n").unwrap();
    let end = whole.find("\n[resource.home]\n").unwrap();
    let shown = format!("{}{resource}", &whole[start..end]);
    let policy = |text: &str| {
        let (_dir, locations) = scratch(&[("heptad.toml", text.as_bytes())]);
        load(&locations, &[]).unwrap().resources.remove(0).resource.policy
    };
    assert_eq!(policy(&shown), policy(resource));
}

#[test]
fn a_file_that_cannot_be_read_is_a_finding_with_a_way_out() {
    let check = |files: &[(&str, &[u8])], want: &str| {
        let (dir, locations) = scratch(files);
        let findings = load(&locations, &[]).unwrap_err();
        let text = findings.to_string().replace(dir.path().to_str().unwrap(), "DIR");
        assert!(text.starts_with(want), "{text}");
        assert_eq!(findings.len(), 1, "{text}");
    };
    check(&[], "DIR/heptad.toml: does not exist; create it");
    check(&[("heptad.toml", b"a = 1\nb = \"\xff\"\n")], "DIR/heptad.toml:2: is not UTF-8; save");
    check(&[("heptad.toml/x", b"")], "DIR/heptad.toml: is not a regular file; put");
    check(&[("heptad.toml", b""), ("heptad.d", b"")], "DIR/heptad.d: cannot be listed: Not a dir");
    check(
        &[("heptad.toml", b""), ("heptad.d/a.toml/x", b"")],
        "DIR/heptad.d/a.toml: is not a regular file; put",
    );
    let large = vec![b'#'; usize::try_from(FILE_LIMIT).unwrap() + 1];
    check(&[("heptad.toml", &large)], "DIR/heptad.toml: is larger than 1 MiB; split");
    let (_dir, locations) = scratch(&[("heptad.toml", &large[1..])]);
    assert!(load(&locations, &[]).is_ok(), "exactly 1 MiB is allowed");
}

#[test]
fn a_drop_in_that_links_to_nothing_is_told_as_such() {
    let (dir, locations) = scratch(&[("heptad.toml", b""), ("heptad.d/notes.txt", b"x")]);
    std::os::unix::fs::symlink("/nowhere", dir.path().join("heptad.d/a.toml")).unwrap();
    let findings = load(&locations, &[]).unwrap_err().to_string();
    assert!(findings.ends_with("a.toml: is a link to nothing; mend the link, or remove it"));
}

#[test]
fn a_pipe_in_place_of_a_file_does_not_hang_the_reader() {
    let (dir, locations) = scratch(&[]);
    let pipe = dir.path().join("heptad.toml");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRUSR).unwrap();
    let findings = load(&locations, &[]).unwrap_err().to_string();
    assert!(findings.contains("is not a regular file"), "{findings}");
}

#[test]
fn the_environment_overrides_three_settings_and_nothing_else() {
    let (_dir, locations) = scratch(&[("heptad.toml", b"[daemon]\nlog = \"warn\"\n")]);
    let pairs = env(&[
        ("HEPTAD_SOCKET", "/tmp/h.sock"),
        ("HEPTAD_STATE", "/tmp/state"),
        ("HEPTAD_LOG", ""),
        ("HEPTAD_GROUP", "intruders"),
        ("HEPTAD_RESOURCE__X__TIME", "now"),
        ("socket", "/x"),
    ]);
    let config = load(&locations, &pairs).unwrap();
    assert_eq!(config.daemon.socket, Path::new("/tmp/h.sock"));
    assert_eq!(config.daemon.state, Path::new("/tmp/state"));
    assert_eq!((config.daemon.log.as_str(), config.daemon.group.as_str()), ("warn", "heptad"));
    assert_eq!(config.provenance("daemon.state"), Some(&Origin::Environment("HEPTAD_STATE")));
    let log = config.provenance("daemon.log").unwrap();
    assert!(matches!(log, Origin::File { line: 2, column: 1, .. }), "{log}");
    assert_eq!(config.provenance("daemon.group"), None);
}

#[test]
fn a_bad_value_is_blamed_on_where_it_comes_from() {
    let check = |file: &str, pairs: &[(&str, &str)], socket: &str, want: &str| {
        let (_dir, mut locations) = scratch(&[("heptad.toml", file.as_bytes())]);
        locations.defaults.socket = socket.into();
        let findings = load(&locations, &env(pairs)).unwrap_err();
        assert!(findings.to_string().starts_with(want), "{findings}");
    };
    check(
        "[daemon]\nsocket = \"/fine\"\n",
        &[("HEPTAD_SOCKET", "run/x")],
        "/fine",
        "daemon.socket (HEPTAD_SOCKET in the environment): \"run/x\" is not an absolute path",
    );
    let long = format!("/{}", "x".repeat(120));
    check("", &[], &long, "daemon.socket (built-in default): has 121 bytes");
    check("", &[("HEPTAD_LOG", "12345")], "/fine", "daemon.log (HEPTAD_LOG in the environment)");
}

#[test]
fn a_backends_finding_is_given_its_line() {
    let text = b"[resource.\"web.2\"]\nfiles = { path = \"x\" }\n\n[resource.home.files]\n\
                 path = \"/h\"\ndeep = { \"a.b\" = 1, c = 2 }\n";
    let (dir, locations) = scratch(&[("heptad.toml", b""), ("heptad.d/10.toml", text)]);
    let config = load(&locations, &[]).unwrap();
    let check = |resource: &str, key: &str, want: &str| {
        let finding = config.locate(&resource.parse().unwrap(), key, "is odd", "even it");
        let text = finding.to_string().replace(dir.path().to_str().unwrap(), "DIR");
        assert_eq!(text, format!("DIR/heptad.d/10.toml:{want}: is odd; even it"));
    };
    check("web.2", "path", "2: resource.\"web.2\".files.path");
    check("home", "path", "5: resource.home.files.path");
    check("home", "", "4: resource.home.files");
    check("home", "missing", "4: resource.home.files.missing");
    check("home", "deep.c", "6: resource.home.files.deep.c");
    check("home", "deep.d", "6: resource.home.files.deep.d");
}

#[test]
fn a_check_can_go_on_with_what_was_readable() {
    let text = b"[resource.good]\nkeep = 0\nfiles = { path = \"/g\" }\n[resource.bad]\n";
    let (_dir, locations) = scratch(&[("heptad.toml", text)]);
    let reading = examine(&locations, &[]);
    assert_eq!(reading.findings.len(), 2);
    let names: Vec<&str> =
        reading.config.resources.iter().map(|d| d.resource.name.as_str()).collect();
    assert_eq!(names, ["good"]);
    let mut all: Findings = reading.findings;
    let good = "good".parse().unwrap();
    all.extend([reading.config.locate(&good, "path", "is inside another", "move it")]);
    let lines: Vec<Option<usize>> = all.iter().map(|finding| finding.line).collect();
    assert_eq!(lines, [Some(2), Some(3), Some(4)]);
}
