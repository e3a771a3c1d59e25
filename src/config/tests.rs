//! Whatever the text, reading it ends in a configuration or in findings.

use super::gather::Gathered;
use super::parse::parse;
use super::*;
use proptest::prelude::*;

fn reading(texts: &[String]) -> Reading {
    let mut gathered = Gathered::default();
    for (n, text) in texts.iter().enumerate() {
        match parse(Path::new(&format!("/{n}.toml")), text) {
            Ok(layer) => gathered.layers.0.push(layer),
            Err(findings) => {
                gathered.incomplete = true;
                gathered.findings.extend(findings);
            }
        }
    }
    understand(gathered, &Locations::system())
}

fn key() -> impl Strategy<Value = String> {
    let tables = [keys::ROOT, keys::DAEMON, keys::RESOURCE, keys::HOOKS, keys::PLAN];
    let known: Vec<&'static str> = tables
        .into_iter()
        .flat_map(table::names)
        .chain(["files", "btrfs", "home", "Home", "tag", "path"])
        .collect();
    prop_oneof![
        8 => prop::sample::select(known).prop_map(str::to_owned),
        1 => any::<String>().prop_map(|text| toml::Value::from(text).to_string()),
    ]
}

fn value() -> impl Strategy<Value = String> {
    let texts = [
        "06:00",
        "24:00",
        "UTC",
        "15 * * * *",
        "45min",
        "/bin/true",
        "fail",
        "info",
        "",
        "small",
        "database",
        "2 GiB",
        "1.1 KB",
    ];
    let leaf = prop_oneof![
        prop::sample::select(texts.to_vec()).prop_map(|text| format!("{text:?}")),
        any::<String>().prop_map(|text| toml::Value::from(text).to_string()),
        any::<i64>().prop_map(|number| number.to_string()),
        any::<bool>().prop_map(|flag| flag.to_string()),
        any::<f64>().prop_map(|number| toml::Value::from(number).to_string()),
        Just("2026-11-22".to_owned()),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let pair = (key(), inner.clone()).prop_map(|(key, value)| format!("{key} = {value}"));
        prop_oneof![
            prop::collection::vec(inner, 0..4).prop_map(|list| format!("[{}]", list.join(", "))),
            prop::collection::vec(pair, 0..4).prop_map(|all| format!("{{{}}}", all.join(", "))),
        ]
    })
}

fn document() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        4 => (key(), value()).prop_map(|(key, value)| format!("{key} = {value}")),
        1 => prop::collection::vec(key(), 1..4).prop_map(|path| format!("[{}]", path.join("."))),
        1 => prop::collection::vec(key(), 1..4).prop_map(|path| format!("[[{}]]", path.join("."))),
    ];
    prop::collection::vec(line, 0..12).prop_map(|lines| lines.join("\n"))
}

/// One value in each place where one is read.
fn filled() -> impl Strategy<Value = String> {
    let table = |head: &'static str, keys: table::Keys| {
        let keys: Vec<&str> =
            table::names(keys).filter(|key| !["before", "after"].contains(key)).collect();
        prop::collection::vec(prop::option::weighted(0.3, value()), keys.len()).prop_map(
            move |values| {
                let lines = keys.iter().zip(values);
                let lines = lines.filter_map(|(key, value)| Some(format!("{key} = {}\n", value?)));
                format!("{head}\n{}", lines.collect::<String>())
            },
        )
    };
    (
        table("[daemon]", keys::DAEMON),
        table("[defaults]", keys::DEFAULTS),
        table("[resource.home]\nfiles = {}", keys::RESOURCE),
        table("[[resource.home.before]]", keys::HOOKS),
        table("[plan.small]", keys::PLAN),
        table("[blueprint.small]", keys::BLUEPRINT),
    )
        .prop_map(|(a, b, c, d, e, f)| a + &b + &c + &d + &e + &f)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_text_never_panics(text in any::<String>(), odd in "[\\[\\]{}=.\"'#a \n\\\\0-9:-]{0,80}") {
        let _ = reading(&[text, odd]).findings.to_string();
    }

    #[test]
    fn arbitrary_toml_never_panics_and_findings_have_places(
        texts in prop::collection::vec(prop_oneof![document(), filled()], 1..3),
    ) {
        for finding in &reading(&texts).findings {
            prop_assert!(finding.file.is_some() && finding.line.is_some(), "{finding}");
            prop_assert!(!finding.hint.is_empty(), "{finding}");
            prop_assert!(!finding.to_string().contains(['\n', '\u{1b}']), "{finding}");
        }
    }
}
