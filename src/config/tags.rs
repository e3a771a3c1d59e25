//! Tags: pairs of texts that a person attaches to a resource.

use super::section::{Section, TEXT, describe};
use crate::domain::snapshot::Tags;
use figment::value::Value;

/// Lightsail's limits: pairs on one resource, characters of a key, characters of a value.
pub const TAG_LIMIT: usize = 50;
pub const KEY_LIMIT: usize = 128;
pub const VALUE_LIMIT: usize = 256;

pub fn read(section: &Section<'_>) -> Tags {
    let mut tags = Tags::new();
    let Some(table) = section.table("tags") else {
        return tags;
    };
    if table.len() > TAG_LIMIT {
        let problem = format!("has {} tags; a resource has at most {TAG_LIMIT}", table.len());
        section.find("tags", problem, "remove some");
    }
    for (key, value) in table {
        let path = section.path.key("tags").key(key);
        let find = |problem: String, hint: &str| section.report.find(&path, problem, hint);
        if let Some(problem) = wrong(key, 1..=KEY_LIMIT) {
            find(format!("the tag's key {problem}"), "write a key of 1 to 128 characters");
        }
        match value {
            Value::String(_, text) => match wrong(text, 0..=VALUE_LIMIT) {
                Some(problem) => {
                    find(format!("its value {problem}"), "write a text of up to 256 characters");
                }
                None => {
                    tags.insert(key.clone(), text.clone());
                }
            },
            other => find(format!("is {}", describe(other)), &format!("write {TEXT}")),
        }
    }
    tags
}

fn wrong(text: &str, range: std::ops::RangeInclusive<usize>) -> Option<String> {
    let length = text.chars().count();
    if text.contains(char::is_control) {
        return Some("contains a control character".into());
    }
    (!range.contains(&length)).then(|| format!("has {length} characters"))
}
