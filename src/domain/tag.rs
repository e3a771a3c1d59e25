//! What a tag may be, and how many there may be: Lightsail's rules (its guide on tags), so that
//! whatever is tagged here can be tagged there.

use super::snapshot::Tags;

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
    #[error("the tag's key has {0} characters")]
    KeyLength(usize),
    #[error("the tag's key contains a control character")]
    KeyControl,
    #[error("the tag's key begins with {RESERVED}, which is reserved")]
    Reserved,
    #[error("its value has {0} characters")]
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
}
