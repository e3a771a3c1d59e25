//! What an argument may be.

use crate::api::wire;
use clap::{Args, ValueEnum};
use std::convert::Infallible;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Color {
    #[default]
    Auto,
    Always,
    Never,
}

#[derive(Clone, Debug, Default, Args)]
pub(super) struct TagArgs {
    /// Attach a tag; may be given again
    #[arg(long = "tag", value_name = "KEY=VALUE", value_parser = tag)]
    tags: Vec<(String, String)>,
}

impl TagArgs {
    /// # Errors
    /// The key that was given twice.
    pub(super) fn collect(&self) -> Result<wire::Tags, String> {
        let mut all = wire::Tags::new();
        for (key, value) in &self.tags {
            if all.insert(key.clone(), value.clone()).is_some() {
                return Err(key.clone());
            }
        }
        Ok(all)
    }
}

#[derive(Clone, Debug, Default, Args)]
#[group(required = true, multiple = true)]
pub(super) struct RetagArgs {
    /// Set a tag; a key alone has an empty value
    #[arg(value_name = "KEY[=VALUE]", value_parser = tag)]
    set: Vec<(String, String)>,
    /// Take a tag away; may be given again
    #[arg(long, value_name = "KEY")]
    remove: Vec<String>,
}

impl RetagArgs {
    /// # Errors
    /// The key that was given twice.
    pub(super) fn body(self) -> Result<wire::TagBody, String> {
        let Self { set, remove } = self;
        let set = TagArgs { tags: set }.collect()?;
        match remove.iter().find(|key| set.contains_key(*key)) {
            Some(twice) => Err(twice.clone()),
            None => Ok(wire::TagBody { set, remove }),
        }
    }
}

/// A key alone is a tag with an empty value.
fn tag(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').unwrap_or((text, ""));
    if key.is_empty() {
        return Err("a tag is KEY=VALUE".into());
    }
    Ok((key.into(), value.into()))
}

pub(super) fn disk(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((disk, name)) if !disk.is_empty() && !name.is_empty() => {
            Ok((disk.into(), name.into()))
        }
        _ => Err("a disk is DISK=NAME, such as vdb=data-2".into()),
    }
}

/// As people write it: an hour of one digit is as good. What is wrong the daemon says.
pub(super) fn time_of_day(text: &str) -> Result<String, Infallible> {
    let is_short = text.len() == 4 && text.as_bytes()[1] == b':';
    Ok(if is_short { format!("0{text}") } else { text.to_owned() })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Origin {
    Automatic,
    Manual,
    Copied,
}

impl From<Origin> for wire::Origin {
    fn from(origin: Origin) -> Self {
        match origin {
            Origin::Automatic => Self::Automatic,
            Origin::Manual => Self::Manual,
            Origin::Copied => Self::Copied,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Leftovers {
    Keep,
    Trash,
}

impl From<Leftovers> for wire::Leftovers {
    fn from(leftovers: Leftovers) -> Self {
        match leftovers {
            Leftovers::Keep => Self::Keep,
            Leftovers::Trash => Self::Trash,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_given_twice_is_named() {
        let pair = |key: &str| (key.to_owned(), String::new());
        let check = |keys: &[&str], want| {
            let tags = TagArgs { tags: keys.iter().map(|key| pair(key)).collect() };
            assert_eq!(tags.collect().map(|tags| tags.len()), want);
        };
        check(&["a", "b"], Ok(2));
        check(&["a", "b", "a"], Err("a".into()));
    }
}
