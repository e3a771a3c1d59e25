//! Names that a person chooses, checked once at construction.

use super::sentence::counted;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// Shortest and longest name, in characters (Lightsail's rule for every resource).
pub const NAME_LENGTH: std::ops::RangeInclusive<usize> = 2..=255;

/// Longest name of a resource that a command declares, in characters: its file, and that file while
/// it is written, have names of at most 255 bytes (NAME_MAX).
pub const ENROLLED_NAME_LIMIT: usize = 240;

/// Why a text is not a name. The message says what a name may be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    #[error("is {} long; a name has 2 to 255", counted(*.0, "character", "characters"))]
    Length(usize),
    #[error("contains {0:?}; a name has letters, digits, '.', '_' and '-'")]
    Character(char),
    #[error("must begin and end with a letter or a digit")]
    Ends,
}

/// Checks Lightsail's naming rule: 2–255 of letters, digits, `.`, `_`, `-`; letter or digit at both
/// ends. ASCII only, so that a name is safe as a path component and on any terminal.
fn check(text: &str) -> Result<(), NameError> {
    if let Some(odd) =
        text.chars().find(|c| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-')))
    {
        return Err(NameError::Character(odd));
    }
    if !NAME_LENGTH.contains(&text.len()) {
        return Err(NameError::Length(text.len()));
    }
    let bytes = text.as_bytes();
    let ends = [bytes[0], bytes[text.len() - 1]];
    if ends.iter().all(u8::is_ascii_alphanumeric) { Ok(()) } else { Err(NameError::Ends) }
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $type(Arc<str>);

        impl $type {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $type {
            type Err = NameError;
            fn from_str(text: &str) -> Result<Self, NameError> {
                check(text).map(|()| Self(text.into()))
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &*self.0)
            }
        }
    };
}

name!(
    /// A resource's name: unique on the host.
    ResourceName
);
name!(
    /// A plan's name in the configuration.
    PlanName
);
name!(
    /// A blueprint's name in the configuration.
    BlueprintName
);
name!(
    /// A manual snapshot's name: unique among the snapshots of a Region.
    SnapshotName
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_rule() {
        let check = |text: &str, want: Result<(), NameError>| {
            assert_eq!(text.parse::<ResourceName>().map(|_| ()), want, "name {text:?}");
        };
        check("web-1", Ok(()));
        check("a0", Ok(()));
        check("Web.2_x", Ok(()));
        check(&"a".repeat(255), Ok(()));
        check("", Err(NameError::Length(0)));
        check("a", Err(NameError::Length(1)));
        check(&"a".repeat(256), Err(NameError::Length(256)));
        check("-rf", Err(NameError::Ends));
        check("..", Err(NameError::Ends));
        check("a.", Err(NameError::Ends));
        check("a/b", Err(NameError::Character('/')));
        check("a@b", Err(NameError::Character('@')));
        check("a\nb", Err(NameError::Character('\n')));
        check("a\u{202e}b", Err(NameError::Character('\u{202e}')));
    }
}
