//! Names and paths of files as text. A name on disk is bytes; on the wire it is the same text
//! where it is plain text, and otherwise has `\xHH` for a byte that is no part of a UTF-8 character
//! or is a control character, and `\\` for a backslash. So every name can be shown, sent back and
//! typed. `\u{H}` is read as well, because that is how terminals show what would deceive.

use std::fmt::Write;

/// A text that ends in the middle of an escape, or has one that does not exist.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{at:?} is not a valid escape: write \\\\ for a backslash, \\xHH for a byte")]
pub struct EscapeError {
    /// From the backslash on.
    pub at: String,
}

pub fn escape(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\\' => text.push_str("\\\\"),
                // Control characters beyond ASCII keep their UTF-8 form; writing cannot fail.
                c if c.is_ascii_control() => drop(write!(text, "\\x{:02x}", u32::from(c))),
                c => text.push(c),
            }
        }
        for byte in chunk.invalid() {
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text
}

pub fn unescape(text: &str) -> Result<Vec<u8>, EscapeError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((plain, escaped)) = rest.split_once('\\') {
        bytes.extend_from_slice(plain.as_bytes());
        let bad = || EscapeError { at: rest[plain.len()..].chars().take(8).collect() };
        rest = one(escaped, &mut bytes).ok_or_else(bad)?;
    }
    bytes.extend_from_slice(rest.as_bytes());
    Ok(bytes)
}

/// Reads what follows a backslash; returns what follows that.
fn one<'a>(escaped: &'a str, bytes: &mut Vec<u8>) -> Option<&'a str> {
    if let Some(rest) = escaped.strip_prefix('\\') {
        bytes.push(b'\\');
        return Some(rest);
    }
    if let Some(rest) = escaped.strip_prefix("u{") {
        let (digits, rest) = rest.split_once('}')?;
        let c = char::from_u32(hex(digits)?)?;
        bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        return Some(rest);
    }
    let digits = escaped.strip_prefix('x')?.get(..2)?;
    bytes.push(u8::try_from(hex(digits)?).ok()?);
    escaped.get(3..)
}

fn hex(digits: &str) -> Option<u32> {
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    plain.then(|| u32::from_str_radix(digits, 16).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_name_is_text_where_it_can_be() {
        let check = |bytes: &[u8], want: &str| {
            assert_eq!(escape(bytes), want);
            assert_eq!(unescape(want).unwrap(), bytes, "{want}");
        };
        check(b"plain name.txt", "plain name.txt");
        check("umläut 日本".as_bytes(), "umläut 日本");
        check(b"caf\xe9", "caf\\xe9");
        check(b"a\\b\nc\x1b", "a\\\\b\\x0ac\\x1b");
        check(b"\\xe9", "\\\\xe9");
        assert_eq!(unescape("\\u{202e}x\\XE9").unwrap_err().at, "\\XE9");
        assert_eq!(unescape("\\u{202e}").unwrap(), "\u{202e}".as_bytes());
    }

    #[test]
    fn what_is_no_escape_is_refused() {
        for text in ["\\", "a\\", "\\n", "\\x", "\\x1", "\\xé9", "\\x+1", "\\u{}", "\\u{d800}"] {
            assert!(unescape(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_name_comes_back(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            prop_assert_eq!(unescape(&escape(&bytes)).unwrap(), bytes);
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,20}") {
            let _ = unescape(&text);
        }
    }
}
