//! Tags: pairs of texts that a person attaches to a resource.

use super::section::{Section, TEXT, describe};
use crate::domain::tag::Tags;
use crate::domain::tag::{TAG_LIMIT, TagError, check_key, check_value};
use figment::value::Value;

pub(super) fn read(section: &Section<'_>) -> Tags {
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
        let find = |error: TagError| section.report.find(&path, error.to_string(), error.hint());
        if let Err(error) = check_key(key) {
            find(error);
        }
        match value {
            Value::String(_, text) => match check_value(text) {
                Err(error) => find(error),
                Ok(()) => {
                    tags.insert(key.clone(), text.clone());
                }
            },
            other => {
                let problem = format!("is {}", describe(other));
                section.report.find(&path, problem, format!("write {TEXT}"));
            }
        }
    }
    tags
}
