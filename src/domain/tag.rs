//! What a tag may be, and how many there may be: Lightsail's rules (its guide on tags), so that
//! whatever is tagged here can be tagged there.

use crate::domain::sentence::counted;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Most tags of one resource or snapshot.
pub const TAG_LIMIT: usize = 50;

/// Longest key and value, in characters. A key has at least one; a tag that is a key alone has an
/// empty value.
pub const KEY_LIMIT: usize = 128;
pub const VALUE_LIMIT: usize = 256;

/// Keys that begin so, in whatever case, belong to AWS.
pub const RESERVED: &str = "aws:";

/// Why a tag is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TagError {
    #[error("the tag's key is {} long", counted(*.0, "character", "characters"))]
    KeyLength(usize),
    #[error("the tag's key contains a control character")]
    KeyControl,
    #[error("the tag's key begins with {RESERVED}, which is reserved")]
    Reserved,
    #[error("its value is {} long", counted(*.0, "character", "characters"))]
    ValueLength(usize),
    #[error("its value contains a control character")]
    ValueControl,
}

impl TagError {
    /// The way out.
    pub fn hint(self) -> String {
        match self {
            TagError::KeyLength(_) | TagError::KeyControl => {
                format!("write a key of 1 to {KEY_LIMIT} characters")
            }
            TagError::Reserved => format!("choose a key that does not begin with {RESERVED}"),
            TagError::ValueLength(_) | TagError::ValueControl => {
                format!("write a text of up to {VALUE_LIMIT} characters")
            }
        }
    }
}

/// Checks a key.
///
/// # Errors
/// What is wrong with it.
pub fn check_key(key: &str) -> Result<(), TagError> {
    let length = key.chars().count();
    if key.contains(char::is_control) {
        return Err(TagError::KeyControl);
    }
    if !(1..=KEY_LIMIT).contains(&length) {
        return Err(TagError::KeyLength(length));
    }
    let start: String = key.chars().take(RESERVED.len()).collect();
    if start.eq_ignore_ascii_case(RESERVED) { Err(TagError::Reserved) } else { Ok(()) }
}

/// Checks a value.
///
/// # Errors
/// What is wrong with it.
pub fn check_value(value: &str) -> Result<(), TagError> {
    let length = value.chars().count();
    if value.contains(char::is_control) {
        return Err(TagError::ValueControl);
    }
    if length > VALUE_LIMIT { Err(TagError::ValueLength(length)) } else { Ok(()) }
}

/// A snapshot would have too many tags, counting those of its resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TooMany {
    /// Those of the resource.
    pub inherited: usize,
    /// The keys that would be added to them; without so many of these it would do.
    pub added: Vec<String>,
    pub excess: usize,
}

/// The tags of a snapshot: its resource's, and over them those that it is given.
///
/// # Errors
/// [`TooMany`], with what to leave out.
pub fn inherit(resource: &Tags, given: &Tags) -> Result<Tags, TooMany> {
    let mut all = resource.clone();
    all.extend(given.clone());
    let Some(excess) = all.len().checked_sub(TAG_LIMIT).filter(|excess| *excess > 0) else {
        return Ok(all);
    };
    let added = given.keys().filter(|key| !resource.contains_key(*key)).cloned().collect();
    Err(TooMany { inherited: resource.len(), added, excess })
}

/// What a command changes of the tags of a resource or snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Retag {
    pub set: Tags,
    pub remove: BTreeSet<String>,
}

impl Retag {
    /// The tags afterwards.
    ///
    /// # Errors
    /// How many there would be, if that is too many.
    pub fn apply(&self, tags: &Tags) -> Result<Tags, usize> {
        let mut all = tags.clone();
        all.retain(|key, _| !self.remove.contains(key));
        all.extend(self.set.clone());
        // What has too many already may still lose some.
        if all.len() > TAG_LIMIT.max(tags.len()) { Err(all.len()) } else { Ok(all) }
    }
}

impl fmt::Display for Retag {
    /// The keys alone: `set team, cost; remove why`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let set = self.set.keys().cloned().collect::<Vec<_>>().join(", ");
        let remove = self.remove.iter().cloned().collect::<Vec<_>>().join(", ");
        match (set.is_empty(), remove.is_empty()) {
            (false, false) => write!(f, "set {set}; remove {remove}"),
            (false, true) => write!(f, "set {set}"),
            (true, _) => write!(f, "remove {remove}"),
        }
    }
}

/// What commands changed of a resource's tags, key by key: the value in force, or none where the
/// configuration's tag is taken away.
pub type TagWishes = BTreeMap<String, Option<String>>;

/// The wishes with one more change. What is taken away without being configured leaves no wish.
pub fn wished(mut wishes: TagWishes, change: &Retag, configured: &Tags) -> TagWishes {
    for key in &change.remove {
        match configured.contains_key(key) {
            true => wishes.insert(key.clone(), None),
            false => wishes.remove(key),
        };
    }
    let set = change.set.iter().map(|(key, value)| (key.clone(), Some(value.clone())));
    wishes.extend(set);
    wishes
}

/// The configuration's tags with the wishes on top. If that is too many, because the configuration
/// has got more since, the wishes win, as they do for each key.
pub fn in_force(configured: &Tags, wishes: &TagWishes) -> Tags {
    let set = wishes.iter().filter_map(|(key, value)| Some((key.clone(), value.clone()?)));
    let mut all: Tags = set.take(TAG_LIMIT).collect();
    let room = TAG_LIMIT.saturating_sub(all.len());
    let others = configured.iter().filter(|(key, _)| !wishes.contains_key(*key)).take(room);
    all.extend(others.map(|(key, value)| (key.clone(), value.clone())));
    all
}

/// Key and value pairs that a person attached.
pub type Tags = BTreeMap<String, String>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_keeps_the_bounds_and_leaves_aws_its_own() {
        let check = |key: &str, value: &str, want: Result<(), TagError>| {
            let got = check_key(key).and_then(|()| check_value(value));
            assert_eq!(got, want, "{key}={value}");
        };
        check("owner", "Zoë & co", Ok(()));
        check("k", "", Ok(()));
        check("awsome", "x", Ok(()));
        check("aws", "aws:x", Ok(()));
        check("my:aws:", "x", Ok(()));
        check("", "v", Err(TagError::KeyLength(0)));
        check(&"ü".repeat(128), &"ü".repeat(256), Ok(()));
        check(&"k".repeat(129), "v", Err(TagError::KeyLength(129)));
        check("k", &"v".repeat(257), Err(TagError::ValueLength(257)));
        check("k\u{9b}", "v", Err(TagError::KeyControl));
        check("k", "a\nb", Err(TagError::ValueControl));
        check("aws:cost", "v", Err(TagError::Reserved));
        check("AWS:cost", "v", Err(TagError::Reserved));
    }

    #[test]
    fn a_snapshot_has_the_tags_of_its_resource_and_fifty_in_all() {
        let tags = |keys: std::ops::Range<usize>, value: &str| -> Tags {
            keys.map(|n| (format!("k{n:02}"), value.to_owned())).collect()
        };
        let all = inherit(&tags(0..40, "old"), &tags(30..50, "new")).unwrap();
        assert_eq!((all.len(), all["k29"].as_str(), all["k30"].as_str()), (50, "old", "new"));
        let refused = inherit(&tags(0..49, "old"), &tags(48..52, "new")).unwrap_err();
        let added = ["k49", "k50", "k51"].map(String::from).to_vec();
        assert_eq!(refused, TooMany { inherited: 49, added, excess: 2 });
    }

    fn tags(pairs: &str) -> Tags {
        let pair = |text: &str| {
            let (key, value) = text.split_once('=').unwrap();
            (key.to_owned(), value.to_owned())
        };
        pairs.split_whitespace().map(pair).collect()
    }

    fn change(set: &str, remove: &str) -> Retag {
        let remove = remove.split_whitespace().map(Into::into).collect();
        Retag { set: tags(set), remove }
    }

    #[test]
    fn a_change_sets_and_removes_and_touches_nothing_else() {
        let check = |before: &str, set: &str, remove: &str, want: &str| {
            assert_eq!(change(set, remove).apply(&tags(before)), Ok(tags(want)), "{set} -{remove}");
        };
        check("a=1 b=2", "b=3 c=4", "a", "b=3 c=4");
        check("a=1", "", "other", "a=1");
        check("", "a=", "", "a=");
        let many: Tags = (0..60).map(|n| (format!("k{n:02}"), String::new())).collect();
        let fifty: Tags = many.clone().into_iter().take(50).collect();
        assert_eq!(change("new=1", "").apply(&fifty), Err(51));
        assert_eq!(change("new=1", "k07").apply(&fifty).map(|all| all.len()), Ok(50));
        assert_eq!(change("", "k07").apply(&many).map(|all| all.len()), Ok(59));
    }

    #[test]
    fn what_a_command_says_of_a_key_wins_and_the_configuration_has_the_others() {
        let mut wishes = TagWishes::new();
        let mut check = |set: &str, remove: &str, configured: &str, want: &str| {
            let configured = tags(configured);
            wishes = wished(std::mem::take(&mut wishes), &change(set, remove), &configured);
            assert_eq!(in_force(&configured, &wishes), tags(want), "{set} -{remove}");
        };
        check("", "", "a=1 b=2", "a=1 b=2");
        check("a=9 c=3", "", "a=1 b=2", "a=9 b=2 c=3");
        // The file changes: keys that no command spoke of follow it.
        check("", "", "a=5 b=6 d=7", "a=9 b=6 c=3 d=7");
        check("", "a c", "a=5 b=6 d=7", "b=6 d=7");
        // What was taken away stays away; what was never configured is forgotten.
        check("", "", "a=8 c=1", "c=1");
        check("a=2", "", "a=8 c=1", "a=2 c=1");
    }

    #[test]
    fn a_configuration_that_grew_never_makes_more_than_fifty_in_all() {
        let wishes = TagWishes::from([("zz".into(), Some("x".into())), ("k03".into(), None)]);
        let file: Tags = (0..52).map(|n| (format!("k{n:02}"), String::new())).collect();
        let all = in_force(&file, &wishes);
        assert_eq!((all.len(), all["zz"].as_str()), (TAG_LIMIT, "x"));
        assert!(!all.contains_key("k03"));
    }
}
