//! Resources that a command made: what is written is what is read, and never over something else.

use heptad::config::{Config, DaemonDefaults, Declared, Enrolment, Findings, Locations, load};
use heptad::daemon::enroll::{EnrolError, enroll, withdraw};
use heptad::domain::name::ENROLLED_NAME_LIMIT;
use heptad::domain::policy::{Retention, When};
use heptad::domain::resource::Kind;
use heptad::domain::tag::Tags;
use jiff::civil::Time;
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use tempfile::TempDir;

const PLANS: &str = "[plan.small]\nvcpus = 2\nmemory = \"2 GiB\"\ndisk = \"40 GiB\"\n\
                     [blueprint.debian-12]\n";

/// A state directory with a configuration beside it.
struct Host {
    dir: TempDir,
}

impl Host {
    fn new(main: &str) -> Self {
        let host = Self { dir: tempfile::tempdir().unwrap() };
        host.write("heptad.toml", main);
        fs::create_dir(host.state()).unwrap();
        host
    }

    fn state(&self) -> std::path::PathBuf {
        self.dir.path().join("state")
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn enroll(&self, declared: &Enrolment) {
        enroll(&self.state(), declared).unwrap();
    }

    fn load(&self) -> Result<Config, Findings> {
        let defaults = DaemonDefaults { socket: "/run/h.sock".into(), state: self.state() };
        let file = self.dir.path().join("heptad.toml");
        let drop_ins = self.dir.path().join("conf.d");
        load(&Locations { file, drop_ins, defaults }, &[])
    }

    /// The findings, with the directory left out.
    fn findings(&self) -> String {
        let dir = format!("{}/", self.dir.path().display());
        self.load().unwrap_err().to_string().replace(&dir, "")
    }
}

fn web() -> Enrolment {
    let Value::Object(options) = json!({ "path": "/srv/web-2", "deep": { "a.b": [1, 2.5] } })
    else {
        unreachable!()
    };
    Enrolment {
        name: "web-2".parse().unwrap(),
        kind: Kind::Instance,
        backend: "files".into(),
        options,
        when: Some(When::Daily(Time::constant(3, 30, 0, 0))),
        zone: Some("Europe/Berlin".into()),
        retention: Some(Retention { latest: 5, ..Retention::SEVEN }),
        enabled: Some(true),
        tags: Tags::from([("team".into(), "web".into())]),
        plan: Some("small".parse().unwrap()),
        blueprint: Some("debian-12".into()),
    }
}

/// The same, as the configuration has it.
fn says(declared: &Declared) -> Enrolment {
    let said = Enrolment::of(&declared.resource).unwrap();
    // In the resource itself they are a text, whose numbers are read to the last digit but one.
    Enrolment { options: declared.options.clone(), ..said }
}

#[test]
fn an_enrolled_resource_is_part_of_the_configuration() {
    let host = Host::new(&format!("{PLANS}[resource.home]\nfiles = {{ path = \"/home\" }}\n"));
    host.enroll(&web());
    let config = host.load().unwrap();
    let got: Vec<_> =
        config.resources.iter().map(|d| (d.resource.name.as_str(), d.resource.enrolled)).collect();
    assert_eq!(got, [("home", false), ("web-2", true)]);
    assert_eq!(says(&config.resources[1]), web());
    assert_eq!(config.resources[1].resource.plan.as_ref().unwrap().memory, 2 << 30);
    let mode = |path: &str| fs::metadata(host.state().join(path)).unwrap().permissions().mode();
    assert_eq!((mode("enrolled") & 0o777, mode("enrolled/web-2.toml") & 0o777), (0o700, 0o600));
    withdraw(&host.state(), &web().name).unwrap();
    assert_eq!(host.load().unwrap().resources.len(), 1);
}

#[test]
fn enrolling_is_repeated_in_peace_and_never_writes_over_something_else() {
    let host = Host::new(PLANS);
    host.enroll(&web());
    host.write("state/enrolled/.web-2.toml.new", "what a crash left");
    host.enroll(&web());
    let other = Enrolment { tags: Tags::new(), ..web() };
    let refused = enroll(&host.state(), &other).unwrap_err();
    assert!(matches!(refused, EnrolError::Taken { .. }), "{refused}");
    assert!(refused.to_string().ends_with("heptactl forget web-2 ends that"), "{refused}");
    assert_eq!(says(&host.load().unwrap().resources[0]), web());
    assert_eq!(fs::read_dir(host.state().join("enrolled")).unwrap().count(), 1);
}

#[test]
fn withdrawing_what_is_not_enrolled_changes_nothing() {
    let host = Host::new("");
    for name in ["web-2", &"x".repeat(255)] {
        withdraw(&host.state(), &name.parse().unwrap()).unwrap();
    }
    withdraw(Path::new("/nowhere/at/all"), &web().name).unwrap();
}

#[test]
fn what_cannot_be_written_is_refused_and_leaves_nothing() {
    let host = Host::new("");
    let check = |declared: Enrolment, want: &str| {
        let refused = enroll(&host.state(), &declared).unwrap_err().to_string();
        assert!(refused.contains(want), "{refused}");
        assert!(!host.state().join("enrolled").exists());
    };
    let with = |option: Value| {
        let options = Map::from_iter([("deep".into(), json!({ "list": [1, option] }))]);
        Enrolment { options, ..web() }
    };
    check(with(Value::Null), "files.deep.list[1] is null");
    check(with(json!(u64::MAX)), "files.deep.list[1] is 18446744073709551615");
    let long = "x".repeat(ENROLLED_NAME_LIMIT + 1);
    check(Enrolment { name: long.parse().unwrap(), ..web() }, "up to 240 characters");
    let missing = enroll(Path::new("/nowhere/at/all"), &web()).unwrap_err().to_string();
    assert!(missing.contains("creating /nowhere/at/all/enrolled"), "{missing}");
    host.enroll(&Enrolment { name: long[1..].parse().unwrap(), ..web() });
}

#[test]
fn a_table_of_the_same_name_is_a_finding_with_both_ways_out() {
    let host = Host::new(&format!("{PLANS}[resource.web-2]\nexec = {{ program = \"/bin/x\" }}\n"));
    host.write("conf.d/10.toml", "[resource.web-2]\nkeep = 3\n");
    host.enroll(&web());
    let both = "resource.web-2: a command made it, and state/enrolled/web-2.toml declares it; remove \
                this table (`heptactl forget web-2` ends the other); or remove that file, so that \
                this table takes its place";
    let want = format!("conf.d/10.toml:1: {both}\nheptad.toml:6: {both}");
    assert_eq!(host.findings(), want);
}

#[test]
fn a_name_that_differs_in_case_is_a_finding() {
    let host = Host::new(&format!("{PLANS}[resource.Web-2]\nfiles = {{ path = \"/w\" }}\n"));
    host.enroll(&web());
    assert!(host.findings().contains("Web-2: differs only in case from resource.web-2 in state/"));
}

#[test]
fn a_broken_file_is_named_with_its_line() {
    let check = |text: &str, want: &str| {
        let host = Host::new("[resource.home]\nfiles = { path = \"/home\" }\n");
        host.write("state/enrolled/web-2.toml", text);
        let found = host.findings();
        assert!(found.starts_with(&format!("state/enrolled/web-2.toml{want}")), "{found}");
    };
    let own = "[resource.web-2]\nfiles = { path = \"/w\" }\n";
    check("", ": has no table [resource.web-2]; mend it, or remove it if web-2 is");
    check("[resource.web-2]\nkeep 7\n", ":2: is not TOML");
    check("[resource.web-2]\n", ":1: resource.web-2: has no backend");
    check(&format!("{own}plan = \"small\"\n"), ":3: resource.web-2.plan: there is no plan");
    check(&format!("{own}[daemon]\nstate = \"/x\"\n"), ":3: daemon: stands here; a file of");
    check(&format!("{own}[resource.db]\nfiles = {{}}\n"), ":3: resource.db: stands here");
    check("resource = 7\n", ": has no table [resource.web-2]");
    check(&format!("{own}kind = 7\n"), ":3: resource.web-2.kind: is the number 7");
}

/// Only the daemon needs all of them, and it owns the directory.
#[test]
fn whoever_may_not_look_into_the_state_is_told_what_is_left_out() {
    let host = Host::new("[resource.home]\nfiles = { path = \"/home\" }\n");
    fs::set_permissions(host.dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    host.enroll(&Enrolment { plan: None, blueprint: None, ..web() });
    let mut heptad = std::process::Command::new("setpriv");
    heptad.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"]);
    heptad.args([env!("CARGO_BIN_EXE_heptad"), "check", "--config"]);
    heptad.arg(host.dir.path().join("heptad.toml"));
    heptad.env("HEPTAD_STATE", host.state()).env("HOME", "/nonexistent");
    let ran = heptad.output().unwrap();
    let said = String::from_utf8_lossy(&ran.stdout) + String::from_utf8_lossy(&ran.stderr);
    assert!(said.contains("enrolled: may not be read"), "{said}");
}

#[test]
fn the_state_directory_is_where_the_environment_or_a_file_says() {
    let host = Host::new("");
    host.enroll(&Enrolment { plan: None, blueprint: None, ..web() });
    let check = |main: &str, env: &[(String, String)], want: usize| {
        host.write("heptad.toml", main);
        let defaults = DaemonDefaults { socket: "/run/h.sock".into(), state: "/nowhere".into() };
        let file = host.dir.path().join("heptad.toml");
        let drop_ins = host.dir.path().join("conf.d");
        let config = load(&Locations { file, drop_ins, defaults }, env).unwrap();
        assert_eq!(config.resources.len(), want, "{main}");
    };
    let there = host.state().display().to_string();
    check("", &[], 0);
    check(&format!("[daemon]\nstate = {there:?}\n"), &[], 1);
    check("[daemon]\nstate = \"/elsewhere\"\n", &[("HEPTAD_STATE".into(), there)], 1);
}

fn option() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_filter("JSON has no others", |n| n.is_finite()).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..4)
                .prop_map(|table| Value::Object(table.into_iter().collect())),
        ]
    })
}

prop_compose! {
    fn enrolment()(
        name in "[a-zA-Z0-9][a-zA-Z0-9._-]{0,20}[a-zA-Z0-9]",
        kind in prop::sample::select(Kind::ALL.to_vec()),
        options in prop::collection::btree_map(any::<String>(), option(), 0..5),
        when in prop_oneof![
            Just(None),
            (0..24_i8, 0..60_i8).prop_map(|(h, m)| Some(When::Daily(Time::constant(h, m, 0, 0)))),
            (0..60, 0..24).prop_map(|(m, h)| {
                Some(When::Cron(format!("{m} {h} * * SUN").parse().unwrap()))
            }),
        ],
        zone in prop::sample::select(vec!["UTC", "Europe/Berlin", "Asia/Kathmandu"]),
        tiers in (1..=10_000_u32, 0..=10_000_u32, 0..=10_000_u32, 0..=10_000_u32),
        enabled in any::<bool>(),
        tags in prop::collection::btree_map("[^\\pC]{1,20}", "[^\\pC]{0,20}", 0..4),
        sized in any::<bool>(),
    ) -> Enrolment {
        let sized = sized && kind != Kind::Disk;
        Enrolment {
            name: name.parse().unwrap(),
            kind,
            backend: "files".into(),
            options: options.into_iter().collect(),
            when,
            zone: Some(zone.into()),
            retention: Some(Retention {
                latest: tiers.0, weekly: tiers.1, monthly: tiers.2, yearly: tiers.3,
            }),
            enabled: Some(enabled),
            tags,
            plan: sized.then(|| "small".parse().unwrap()),
            blueprint: sized.then(|| "debian-12".into()),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_enrolled_reads_back_with_the_same_meaning(declared in enrolment()) {
        // Nothing of the defaults may shine through, but for the rhythm that was left to them.
        let other = "[defaults]\ntime = \"01:02\"\ntimezone = \"America/New_York\"\nkeep = 3\n\
                     weekly = 4\nmonthly = 5\nyearly = 6\nenabled = false\n";
        let host = Host::new(&format!("{PLANS}{other}"));
        host.enroll(&declared);
        let config = host.load();
        let config = config.unwrap_or_else(|findings| panic!("{findings}"));
        let left = Some(When::Daily(Time::constant(1, 2, 0, 0)));
        let want = Enrolment { when: declared.when.or(left), ..declared };
        prop_assert_eq!(says(&config.resources[0]), want);
    }
}
