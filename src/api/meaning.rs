//! From what a client wrote to the domain's types.

use super::refuse::Refuse;
use super::wire::Tags;
use jiff::civil::Time;
use std::str::FromStr;

/// As many tags as Lightsail allows on a resource.
const TAGS: usize = 50;
/// Lightsail's longest key and value, in characters.
const TAG_KEY: usize = 128;
const TAG_VALUE: usize = 256;

/// A name that is given to something new.
pub fn new_name<T: FromStr<Err: ToString>>(text: &str) -> Result<T, Refuse> {
    text.parse().map_err(|error: T::Err| {
        let shown: String = text.chars().take(60).collect();
        Refuse::bad("bad-name", format!("name {shown:?} {}", error.to_string()), "choose another")
    })
}

/// `HH:MM`.
pub fn parse_time(text: &str) -> Result<Time, Refuse> {
    let digits = |part: &str| {
        let plain = part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
        plain.then(|| part.parse::<i8>().ok()).flatten()
    };
    let parts = text.split_once(':').and_then(|(h, m)| Some((digits(h)?, digits(m)?)));
    let time = parts.and_then(|(hour, minute)| Time::new(hour, minute, 0, 0).ok());
    time.ok_or_else(|| {
        let shown: String = text.chars().take(20).collect();
        Refuse::bad(
            "bad-time",
            format!("{shown:?} is no time of day"),
            "write it with two digits each, 00:00 to 23:59",
        )
    })
}

pub fn parse_tags(tags: Tags) -> Result<Tags, Refuse> {
    let hint = format!(
        "at most {TAGS} tags, keys of 1 to {TAG_KEY} and values of up to {TAG_VALUE} characters, \
         none of them a control character"
    );
    if tags.len() > TAGS {
        return Err(Refuse::bad("bad-tag", format!("{} tags are too many", tags.len()), hint));
    }
    let fits = |text: &str, most| text.chars().count() <= most && !text.contains(char::is_control);
    let bad = |(key, value): &(&String, &String)| {
        key.is_empty() || !fits(key, TAG_KEY) || !fits(value, TAG_VALUE)
    };
    if let Some((key, _)) = tags.iter().find(bad) {
        let shown: String = key.chars().take(60).collect();
        return Err(Refuse::bad("bad-tag", format!("tag {shown:?} does not fit"), hint));
    }
    Ok(tags)
}

/// A path for something new: absolute, without detours, so that what is logged is what is meant.
pub fn parse_path(path: String) -> Result<String, Refuse> {
    let detour = path.split('/').any(|part| matches!(part, "." | ".."));
    let fits = path.starts_with('/') && path.len() < 4_096 && !path.contains(char::is_control);
    if fits && !detour && !path.trim_matches('/').is_empty() {
        return Ok(path);
    }
    let shown: String = path.chars().take(60).collect();
    let hint = "write it from / on, without . and .. and control characters";
    Err(Refuse::bad("bad-path", format!("{shown:?} is not a plain absolute path"), hint))
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
