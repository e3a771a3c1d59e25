//! Texts with a meaning: a time of day, a duration, a time zone, an absolute path.

use crate::domain::plan::{Size, SizeError};
use crate::domain::policy::Zone;
use crate::domain::similar::similar;
use jiff::civil::Time;
use jiff::tz::TimeZone;
use std::path::{Component, Path, PathBuf};

/// `HH:MM`, from `00:00` to `23:59`.
pub(super) fn time(text: &str) -> Result<Time, Refusal> {
    let refuse =
        |hint: &str| Err((format!("{} is not a valid time of day", quote(text)), hint.into()));
    let parts: Vec<&str> = text.split(':').collect();
    let digits = |part: &&str| part.bytes().all(|b| b.is_ascii_digit()) && !part.is_empty();
    if !parts.iter().all(digits) {
        return refuse("write HH:MM, such as \"06:00\"");
    }
    let part = |n: usize| parts.get(n).and_then(|part| part.parse::<i8>().ok());
    let time = match (part(0), part(1)) {
        (Some(hour), Some(minute)) => Time::new(hour, minute, 0, 0).ok(),
        _ => None,
    };
    match (&parts[..], time) {
        (["24", "00"], _) => refuse("write \"00:00\" for midnight"),
        ([hour, minute], Some(time)) if hour.len() == 2 && minute.len() == 2 => Ok(time),
        ([_, _], Some(time)) => refuse(&format!("write \"{}\"", time.strftime("%H:%M"))),
        ([_, _, _], Some(time)) => {
            refuse(&format!("write \"{}\", without seconds", time.strftime("%H:%M")))
        }
        _ => refuse("write HH:MM from \"00:00\" to \"23:59\""),
    }
}

/// Seconds, from numbers with the units `s`, `min`, `h` or `d`: `90s`, `45min`, `1h30min`.
pub(super) fn duration(text: &str) -> Result<u64, Refusal> {
    seconds(text).ok_or_else(|| {
        let hint = "write a number with s, min, h or d, such as \"90s\", \"45min\" or \"2h\"";
        (format!("{} is not a valid duration", quote(text)), hint.into())
    })
}

fn seconds(text: &str) -> Option<u64> {
    let mut total: u64 = 0;
    let mut rest = text;
    loop {
        let (number, after) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit())?);
        let end = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
        let (unit, after) = after.split_at(end);
        let unit = match unit {
            "s" => 1,
            "min" => 60,
            "h" => 3_600,
            "d" => 86_400,
            _ => return None,
        };
        total = total.checked_add(number.parse::<u64>().ok()?.checked_mul(unit)?)?;
        if after.is_empty() {
            return Some(total);
        }
        rest = after;
    }
}

/// The longest name in the zone database has 32 characters.
const ZONE_NAME_LIMIT: usize = 64;

/// Names that the zone database has but that stand for no fixed place.
const UNFIXED: [&str; 3] = ["localtime", "posixrules", "Factory"];

/// An IANA time zone. One that nobody here knows is a lost one, about which [`unknown_zone`] has to
/// be told.
pub(super) fn zone(text: &str) -> Result<Zone, Refusal> {
    if UNFIXED.iter().any(|name| name.eq_ignore_ascii_case(text)) {
        let hint = "write the zone's own name, such as \"Europe/Berlin\" or \"UTC\"";
        return Err((format!("{} may change its meaning", quote(text)), hint.into()));
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || "/_+-".contains(c);
    if text.is_empty() || text.len() > ZONE_NAME_LIMIT || !text.chars().all(plain) {
        return Err(unknown_zone(text));
    }
    Ok(Zone::named(text, TimeZone::get(text).ok()))
}

/// What to say of a zone that is not known, and the way out.
pub(super) fn unknown_zone(text: &str) -> Refusal {
    let names: Vec<String> =
        jiff::tz::db().available().map(|name| name.as_str().to_owned()).collect();
    let hint = match suggestion(text, &names) {
        Some(name) => format!("did you mean \"{name}\"?"),
        None if names.len() < 2 => "install the host's zone database (package tzdata)".into(),
        None => "write an IANA name, such as \"Europe/Berlin\" or \"UTC\"".into(),
    };
    (format!("{} is not a time zone known here", quote(text)), hint)
}

/// What to say of a zone that this host has dropped from its database, though heptad knows it.
pub(super) fn dropped_zone(zone: &Zone) -> Option<Refusal> {
    let name = zone.name();
    if zone.is_lost() || TimeZone::get(name).is_ok() {
        return None;
    }
    let way_out = match modern_name(name) {
        Some(modern) => format!("write \"{modern}\", its name today"),
        None => "install it (Debian: package tzdata-legacy)".into(),
    };
    let problem = format!("this host does not have {} any more", quote(name));
    Some((problem, format!("heptad uses its own copy, which grows old; {way_out}")))
}

/// What the host's list of links (tzfile's compact source) calls an old name today.
fn modern_name(old: &str) -> Option<String> {
    let list = std::fs::read_to_string("/usr/share/zoneinfo/tzdata.zi").ok()?;
    list.lines().find_map(|line| match line.split(' ').collect::<Vec<_>>()[..] {
        ["L", today, name] if name == old => Some(today.to_owned()),
        _ => None,
    })
}

/// The zone of that city, or one that is spelled much the same.
fn suggestion<'n>(text: &str, names: &'n [String]) -> Option<&'n str> {
    let plain = |text: &str| text.to_ascii_lowercase().replace([' ', '-'], "_");
    let wanted = plain(text);
    let city = |name: &&String| plain(name.rsplit('/').next().unwrap_or(name)) == wanted;
    if let Some(name) = names.iter().filter(|name| name.contains('/')).find(city) {
        return Some(name);
    }
    let all: Vec<String> = names.iter().map(|name| plain(name)).collect();
    let near = similar(&wanted, &all)?;
    let index = all.iter().position(|name| name == near)?;
    names.get(index).map(String::as_str)
}

/// A size of at least so many bytes.
pub(super) fn size(text: &str, least: u64) -> Result<Size, Refusal> {
    let size: Size = text.parse().map_err(|error: SizeError| {
        let message = error.to_string();
        // Every message brings its way out.
        let (problem, hint) = message.split_once("; ").unwrap_or((&message, "write \"2 GiB\""));
        (problem.to_owned(), hint.to_owned())
    })?;
    if size.bytes() < least {
        let problem = format!("is {size}, hardly meant");
        return Err((problem, "write a unit behind the number, as in \"2 GiB\"".into()));
    }
    Ok(size)
}

/// An absolute path to something below `/`, with no `..` in it.
pub(super) fn absolute(text: &str) -> Result<PathBuf, Refusal> {
    let path = Path::new(text);
    let refuse =
        |problem: &str, hint: &str| Err((format!("{} {problem}", quote(text)), hint.into()));
    if text.contains(char::is_control) {
        return refuse("contains a control character", "write a plain path");
    }
    if !path.is_absolute() {
        return refuse("is not an absolute path", "write it from / on");
    }
    if path.components().any(|part| part == Component::ParentDir) {
        return refuse("contains \"..\"", "write the path without it");
    }
    if path.file_name().is_none() {
        return refuse("is the root directory", "name something below /");
    }
    Ok(path.components().collect())
}

/// Why a text was refused: the problem and the way out.
pub(super) type Refusal = (String, String);

/// A text in quotes, escaped and cut where it gets long.
pub(super) fn quote(text: &str) -> String {
    const SHOWN: usize = 60;
    let short: String = text.chars().take(SHOWN).collect();
    let dots = if short.len() < text.len() { "..." } else { "" };
    format!("{short:?}{dots}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_hours_and_minutes_with_two_digits_are_a_time() {
        let check = |text: &str, want: Result<(i8, i8), &str>| match (time(text), want) {
            (Ok(time), Ok((hour, minute))) => assert_eq!(time, Time::constant(hour, minute, 0, 0)),
            (Err((_, hint)), Err(want)) => assert_eq!(hint, want, "{text}"),
            (got, want) => panic!("{text:?}: {got:?}, wanted {want:?}"),
        };
        check("00:00", Ok((0, 0)));
        check("23:59", Ok((23, 59)));
        check("6:00", Err("write \"06:00\""));
        check("006:00", Err("write \"06:00\""));
        check("06:5", Err("write \"06:05\""));
        check("06:00:30", Err("write \"06:00\", without seconds"));
        check("24:00", Err("write \"00:00\" for midnight"));
        let range = "write HH:MM from \"00:00\" to \"23:59\"";
        for text in ["25:00", "06:60", "06", "06:00:00:00", "99999:00"] {
            check(text, Err(range));
        }
        for text in ["", "noon", "6am", " 06:00", "06:", "-1:00", "06.00", "06:00Z", "\u{663}:00"] {
            check(text, Err("write HH:MM, such as \"06:00\""));
        }
    }

    #[test]
    fn a_duration_is_numbers_with_units() {
        let check = |text: &str, want: Option<u64>| assert_eq!(seconds(text), want, "{text:?}");
        check("90s", Some(90));
        check("45min", Some(2_700));
        check("2h", Some(7_200));
        check("1h30min", Some(5_400));
        check("1d", Some(86_400));
        check("0s", Some(0));
        let huge = format!("{}d", u64::MAX);
        for text in ["", "90", "s", "2 h", "-5s", "1.5h", "5m", "5S", "2h30", &huge] {
            check(text, None);
        }
    }

    #[test]
    fn a_zone_is_known_or_another_is_suggested() {
        let told = |text: &str| match zone(text) {
            Ok(zone) if zone.is_lost() => Err(unknown_zone(text)),
            told => told,
        };
        let check = |text: &str, want: Result<&str, &str>| match (told(text), want) {
            (Ok(zone), Ok(want)) => assert_eq!(zone.name(), want),
            (Err((_, hint)), Err(want)) => assert!(hint.contains(want), "{text}: {hint}"),
            (got, want) => panic!("{text:?}: {got:?}, wanted {want:?}"),
        };
        check("UTC", Ok("UTC"));
        check("Europe/Berlin", Ok("Europe/Berlin"));
        check("Europe/Berlim", Err("did you mean \"Europe/Berlin\"?"));
        check("berlin", Err("did you mean \"Europe/Berlin\"?"));
        check("New York", Err("did you mean \"America/New_York\"?"));
        check("right/UTC", Err("IANA"));
        check("../../../etc/passwd", Err("IANA"));
        check("localtime", Err("own name"));
        check("", Err("IANA"));
    }

    #[test]
    fn a_path_is_absolute_and_straight() {
        let check = |text: &str, good: bool| assert_eq!(absolute(text).is_ok(), good, "{text:?}");
        check("/run/heptad/heptad.sock", true);
        check("/a//b/./c/", true);
        check("run/heptad.sock", false);
        check("/run/../etc", false);
        check("/", false);
        check("", false);
        check("/a\0b", false);
        check("/a\nb", false);
        check("~/x", false);
        check("$HOME/x", false);
    }
}
