//! Something new is put under protection at a command: what it is called, and why it is refused.

use super::name::ResourceName;
use jiff::civil::Time;

/// Names of directories and files that say nothing by themselves: the one above is put before.
const SAYS_NOTHING: [&str; 11] = [
    "data", "pgdata", "main", "db", "database", "files", "html", "htdocs", "public", "current",
    "content",
];

/// What somebody wants protected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    pub target: Target,
    /// Without it one is made from where it is.
    pub name: Option<ResourceName>,
    /// Of day; without it as the configuration's defaults have it.
    pub time: Option<Time>,
    /// Only to see what would be declared.
    pub dry_run: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Absolute.
    Path(String),
    /// A guest of libvirt.
    Domain(String),
}

/// Why something is not protected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unprotectable {
    /// Nothing is there.
    NoSuchPlace {
        place: String,
    },
    /// Nothing that snapshots are taken of.
    NotContent {
        place: String,
        what: String,
    },
    /// heptad's own snapshots or state.
    OwnGround {
        place: String,
    },
    Already {
        place: String,
        by: ResourceName,
    },
    NameTaken {
        name: ResourceName,
        /// One like it that is free.
        free: Option<ResourceName>,
    },
    /// The technology needs more than heptad is allowed here.
    NotAllowed {
        place: String,
        missing: String,
        way_out: String,
    },
    /// What `heptad check` would say of it, or the technology itself.
    Unfit {
        place: String,
        problem: String,
        hint: String,
    },
    /// It could not be written down.
    Unwritten {
        why: String,
    },
    /// The key was used for another wish.
    KeyReused {
        key: String,
    },
}

/// A free name made of a path's parts, the last of which says most; `most` is its greatest length.
pub fn name_for<'a>(
    parts: impl DoubleEndedIterator<Item = &'a str>,
    most: usize,
    is_free: impl Fn(&ResourceName) -> bool,
) -> Option<ResourceName> {
    let mut called = String::new();
    for part in parts.rev() {
        let part = tidy(part);
        called = match (part.is_empty(), called.is_empty()) {
            (true, _) => called,
            (false, true) => part,
            (false, false) => format!("{part}-{called}"),
        };
        let last = called.rsplit('-').next().unwrap_or_default().to_ascii_lowercase();
        if called.len() > 1 && (called.contains('-') || !SAYS_NOTHING.contains(&last.as_str())) {
            break;
        }
    }
    let called = if called.len() < 2 { format!("resource{called}") } else { called };
    (1..=9_999).find_map(|n| {
        let ending = if n == 1 { String::new() } else { format!("-{n}") };
        let room = most.saturating_sub(ending.len());
        let head = called.get(..room.min(called.len()))?.trim_end_matches(is_mark);
        format!("{head}{ending}").parse().ok().filter(&is_free)
    })
}

/// Letters, digits and single dashes, dots and underscores, none of which at an end.
fn tidy(part: &str) -> String {
    let mut tidy = String::new();
    for c in part.chars() {
        let c = if c.is_ascii_alphanumeric() || is_mark(c) { c } else { '-' };
        if !(c == '-' && tidy.ends_with('-')) {
            tidy.push(c);
        }
    }
    tidy.trim_matches(is_mark).to_owned()
}

fn is_mark(c: char) -> bool {
    matches!(c, '.' | '_' | '-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_comes_from_the_path_and_is_free_and_valid() {
        let check = |path: &str, taken: &[&str], want: &str| {
            let free = |name: &ResourceName| !taken.contains(&name.as_str());
            let name = name_for(path.split('/'), 20, free);
            assert_eq!(name.as_ref().map(ResourceName::as_str), Some(want), "{path}");
        };
        check("/srv/www", &[], "www");
        check("/srv/www/", &["www", "www-2"], "www-3");
        check("/home/ann/My notes (old)", &[], "My-notes-old");
        check("/home/ann/.config", &[], "config");
        check("/srv/shop/data", &[], "shop-data");
        check("/var/lib/postgresql/15/main", &[], "15-main");
        check("/data", &[], "data");
        check("/srv/x", &[], "srv-x");
        check("/x", &[], "resourcex");
        check("/данные", &[], "resource");
        check("/srv/Größe", &[], "Gr-e");
        check("/srv/-", &[], "srv");
        check("/srv/a\u{1b}[2J", &[], "a-2J");
        check("/srv/abcdefghijklmnopqrstuvwxyz", &["abcdefghijklmnopqrst"], "abcdefghijklmnopqr-2");
        check("/srv/abcdefghijklmnopqrs-uvw", &[], "abcdefghijklmnopqrs");
    }
}
