//! From what a client wrote to the domain's types.

use super::refusal::Refusal;
use super::wire::{TagBody, Tags};
use crate::domain::name::ResourceName;
use crate::domain::tag::{Retag, TAG_LIMIT, check_key, check_value};
use jiff::civil::Time;
use std::str::FromStr;

/// A name that is given to something new.
pub(super) fn new_name<T: FromStr<Err: ToString>>(text: &str) -> Result<T, Refusal> {
    text.parse().map_err(|error: T::Err| {
        let shown: String = text.chars().take(60).collect();
        Refusal::bad("bad-name", format!("name {shown:?} {}", error.to_string()), "choose another")
    })
}

/// Most lines of a page; also how many without a limit.
const PAGE: u32 = 1_000;

/// How many are wanted at once.
pub(super) fn page(limit: Option<u32>) -> Result<usize, Refusal> {
    let limit = limit.unwrap_or(PAGE);
    if (1..=PAGE).contains(&limit) {
        return Ok(usize::try_from(limit).unwrap_or(usize::MAX));
    }
    let hint = format!("ask for 1 to {PAGE}, and for the next page");
    Err(Refusal::bad("bad-value", format!("limit={limit} is too few or too many"), hint))
}

/// A resource's name in a query.
pub(super) fn parse_name(parameter: &str, text: &str) -> Result<ResourceName, Refusal> {
    text.parse().map_err(|error| {
        let shown: String = text.chars().take(60).collect();
        let message = format!("{parameter}={shown:?} {error}");
        Refusal::bad("bad-name", message, "`heptactl status` lists the names")
    })
}

/// `HH:MM`.
pub(super) fn parse_time(text: &str) -> Result<Time, Refusal> {
    let digits = |part: &str| {
        let plain = part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
        plain.then(|| part.parse::<i8>().ok()).flatten()
    };
    let parts = text.split_once(':').and_then(|(h, m)| Some((digits(h)?, digits(m)?)));
    let time = parts.and_then(|(hour, minute)| Time::new(hour, minute, 0, 0).ok());
    time.ok_or_else(|| {
        let shown: String = text.chars().take(20).collect();
        Refusal::bad(
            "bad-time",
            format!("{shown:?} is not a valid time of day"),
            "write it with two digits each, 00:00 to 23:59",
        )
    })
}

pub(super) fn parse_tags(tags: Tags) -> Result<Tags, Refusal> {
    if tags.len() > TAG_LIMIT {
        let message = format!("{} tags are too many", tags.len());
        return Err(Refusal::bad("bad-tag", message, format!("give at most {TAG_LIMIT}")));
    }
    for (key, value) in &tags {
        check_key(key).and_then(|()| check_value(value)).map_err(|error| {
            let shown: String = key.chars().take(60).collect();
            Refusal::bad("bad-tag", format!("tag {shown:?}: {error}"), error.hint())
        })?;
    }
    Ok(tags)
}

/// # Errors
/// Nothing to do, the same key twice, a tag that cannot be. A key to remove may be any that there
/// is.
pub(super) fn parse_retag(body: TagBody) -> Result<Retag, Refusal> {
    let remove: std::collections::BTreeSet<String> = body.remove.into_iter().collect();
    let refuse = |message: String, hint: &str| Refusal::bad("bad-tag", message, hint);
    if body.set.is_empty() && remove.is_empty() {
        return Err(refuse("no tag is named".into(), "name tags to set, or keys to remove"));
    }
    if let Some(both) = body.set.keys().find(|key| remove.contains(*key)) {
        let shown: String = both.chars().take(60).collect();
        let message = format!("tag {shown:?} is to be set and to be removed");
        return Err(refuse(message, "say one of the two"));
    }
    if remove.len() > TAG_LIMIT {
        let message = format!("{} keys are too many", remove.len());
        return Err(refuse(message, "a resource or a snapshot has at most 50"));
    }
    for key in &remove {
        check_key(key).map_err(|error| {
            let shown: String = key.chars().take(60).collect();
            refuse(format!("tag {shown:?}: {error}"), &error.hint())
        })?;
    }
    Ok(Retag { set: parse_tags(body.set)?, remove })
}

/// A path for something new: absolute, without detours, so that what is logged is what is meant.
pub(super) fn parse_path(path: String) -> Result<String, Refusal> {
    let detour = path.split('/').any(|part| matches!(part, "." | ".."));
    let fits = path.starts_with('/') && path.len() < 4_096 && !path.contains(char::is_control);
    if fits && !detour && !path.trim_matches('/').is_empty() {
        return Ok(path);
    }
    let shown: String = path.chars().take(60).collect();
    let hint = "write it from / on, without . and .. and control characters";
    Err(Refusal::bad("bad-path", format!("{shown:?} is not a plain absolute path"), hint))
}

/// A path to something that is there, by whatever detours.
pub(super) fn parse_place(path: String) -> Result<String, Refusal> {
    let fits = path.starts_with('/') && path.len() < 4_096 && !path.contains(char::is_control);
    if fits {
        return Ok(path);
    }
    let shown: String = path.chars().take(60).collect();
    let hint = "write it from / on, without control characters";
    Err(Refusal::bad("bad-path", format!("{shown:?} is not an absolute path"), hint))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_of_day_has_two_digits_on_each_side() {
        let check = |text: &str, good: bool| assert_eq!(parse_time(text).is_ok(), good, "{text:?}");
        check("00:00", true);
        check("23:59", true);
        for text in
            ["24:00", "12:60", "6:00", "06:0", "0600", "06:00:00", "-1:00", "+1:00", "", "noon"]
        {
            check(text, false);
        }
    }

    #[test]
    fn tags_and_paths_keep_their_bounds() {
        let tag =
            |key: &str, value: &str| parse_tags(Tags::from([(key.into(), value.into())])).is_ok();
        assert!(tag("owner", "Zoë & co"));
        assert!(tag("k", ""));
        assert!(!tag("", "v"));
        assert!(!tag("k", "a\nb"));
        assert!(!tag("k", &"v".repeat(257)));
        assert!(!tag(&"k".repeat(129), "v"));
        assert!(!tag("aws:k", "v"));
        let many: Tags = (0..51).map(|n| (n.to_string(), String::new())).collect();
        assert!(parse_tags(many).is_err());
        let check = |path: &str, good: bool| {
            assert_eq!(parse_path(path.into()).is_ok(), good, "{path:?}");
        };
        check("/srv/web-2", true);
        for path in ["", "/", "srv", "/srv/../etc", "/srv/.", "/a\0b", "/a\nb"] {
            check(path, false);
        }
    }
}
