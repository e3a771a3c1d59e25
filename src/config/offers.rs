//! The `[plan.NAME]` and `[blueprint.NAME]` tables, and the resource keys that name one.

use super::key::KeyPath;
use super::keys::{BLUEPRINT, PLAN};
use super::section::{Section, describe};
use super::table::Keys;
use super::values::{Refusal, quote};
use crate::domain::name::{BlueprintName, NameError, PlanName};
use crate::domain::plan::{Blueprint, Offer, Plan};
use crate::domain::sentence::counted;
use crate::domain::similar::similar;
use figment::value::Value;
use std::collections::BTreeMap;
use std::str::FromStr;

/// Less memory or disk than this is a number without its unit.
const SMALLEST: u64 = 1 << 20;

/// Longest description, in characters.
const DESCRIPTION_LIMIT: usize = 256;

/// What resources may choose from.
#[derive(Clone, Debug, Default)]
pub(super) struct Offers {
    pub plans: BTreeMap<PlanName, Offer>,
    pub blueprints: BTreeMap<BlueprintName, Blueprint>,
    /// Every name with a table, also of tables with findings.
    declared: BTreeMap<&'static str, Vec<String>>,
    /// A file could not be read, so what is missing may stand there.
    incomplete: bool,
}

impl Offers {
    pub(super) fn read(root: &Section<'_>, incomplete: bool) -> Self {
        let declared = ["plan", "blueprint"].map(|key| (key, names(root, key)));
        let plans = tables(root, "plan", PLAN, plan);
        let blueprints = tables(root, "blueprint", BLUEPRINT, blueprint);
        Self { plans, blueprints, declared: declared.into(), incomplete }
    }

    /// The plan that a resource names.
    pub(super) fn plan_of(&self, section: &Section<'_>, is_disk: bool) -> Option<Plan> {
        let hint = "make it an \"instance\" or a \"database\" by its kind, or remove the plan: \
                    disks have sizes";
        let name = self.chosen::<PlanName>(section, "plan", is_disk, hint)?;
        self.plans.get(&name).map(|offer| offer.plan.clone())
    }

    /// The blueprint that a resource names.
    pub(super) fn blueprint_of(&self, section: &Section<'_>, is_disk: bool) -> Option<String> {
        let hint = "make it an \"instance\" or a \"database\" by its kind, or remove the blueprint";
        let name = self.chosen::<BlueprintName>(section, "blueprint", is_disk, hint)?;
        self.blueprints.get(&name).map(|blueprint| blueprint.name.to_string())
    }

    fn chosen<T: FromStr>(
        &self,
        section: &Section<'_>,
        key: &'static str,
        is_disk: bool,
        no_disk: &str,
    ) -> Option<T> {
        let name = section.parsed(key, |text| self.known(key, text))?;
        if is_disk {
            section.find(key, format!("a disk has no {key}"), no_disk);
            return None;
        }
        name.parse().ok()
    }

    fn known(&self, key: &'static str, text: &str) -> Result<String, Refusal> {
        if let Err(error) = text.parse::<PlanName>() {
            return Err((format!("the name {error}"), format!("name a table [{key}.NAME]")));
        }
        let names = self.declared.get(key).map(Vec::as_slice).unwrap_or_default();
        if self.incomplete || names.iter().any(|name| name == text) {
            return Ok(text.into());
        }
        let table = KeyPath::of(&[key, text]);
        let hint = match similar(text, names) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None if names.is_empty() => format!("declare it in a table [{table}]"),
            None => {
                let all: Vec<String> = names.iter().map(|name| quote(name)).collect();
                format!("declare it in a table [{table}], or write one of {}", all.join(", "))
            }
        };
        Err((format!("there is no {key} {}", quote(text)), hint))
    }
}

fn names(root: &Section<'_>, key: &str) -> Vec<String> {
    root.peek(key).into_iter().flatten().map(|(name, _)| name.clone()).collect()
}

/// Reads the tables below a key, each with `read`; those with findings are left out.
fn tables<N, T>(
    root: &Section<'_>,
    key: &str,
    keys: Keys,
    read: impl Fn(N, &Section<'_>) -> Option<T>,
) -> BTreeMap<N, T>
where
    N: FromStr<Err = NameError> + Ord + Clone,
{
    let (report, path) = (root.report, root.path.key(key));
    let mut all = BTreeMap::new();
    for (name, value) in root.table(key).into_iter().flatten() {
        let path = path.key(name);
        let Value::Dict(_, table) = value else {
            let problem = format!("is {}", describe(value));
            report.find(&path, problem, format!("write a table: [{path}]"));
            continue;
        };
        let section = Section::new(report, path, table, keys);
        match name.parse::<N>() {
            Ok(name) => all.extend(read(name.clone(), &section).map(|found| (name, found))),
            Err(error) => {
                report.find(&section.path, format!("the name {error}"), "choose another name");
            }
        }
        section.finish();
    }
    all
}

fn plan(name: PlanName, section: &Section<'_>) -> Option<Offer> {
    let vcpus = section.number("vcpus");
    let [memory, disk] = ["memory", "disk"].map(|key| section.size(key, SMALLEST));
    // Adding 0 turns -0 into 0.
    let price = section.decimal("price").map(|price| price + 0.0);
    for key in ["vcpus", "memory", "disk"].into_iter().filter(|key| !section.has(key)) {
        let example = if key == "vcpus" { "vcpus = 2" } else { &format!("{key} = \"2 GiB\"") };
        let problem = format!("has no {key}");
        section.report.find(&section.path, problem, format!("add it, such as {example}"));
    }
    let (memory, disk) = (memory?.bytes(), disk?.bytes());
    Some(Offer { plan: Plan { name, vcpus: vcpus?, memory, disk }, price })
}

fn blueprint(name: BlueprintName, section: &Section<'_>) -> Option<Blueprint> {
    let told = section.parsed("description", description);
    let export = section.flag("export");
    let wrong = section.has("export") && export.is_none();
    (!wrong).then(|| Blueprint { name, description: told, export: export.unwrap_or(true) })
}

fn description(text: &str) -> Result<String, Refusal> {
    let length = text.chars().count();
    let hint = format!("write one line of 1 to {DESCRIPTION_LIMIT} characters");
    if text.contains(char::is_control) {
        return Err(("contains a control character".into(), hint));
    }
    match length {
        1..=DESCRIPTION_LIMIT => Ok(text.into()),
        _ => Err((format!("is {} long", counted(length, "character", "characters")), hint)),
    }
}
