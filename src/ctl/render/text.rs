//! Text that is safe on a terminal, measured and broken by display width.

use std::fmt::Write;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Characters that show nothing and change how others show: Unicode's bidirectional controls,
/// zero-width and invisible format characters, line and paragraph separators, tag characters.
fn deceives(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e007f}')
}

/// Writes out what a terminal would obey or hide, so that a name or a message from elsewhere
/// cannot move the cursor, recolour the screen or show itself as something else.
pub fn clean(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() || deceives(c) {
            // Writing to a string cannot fail.
            let _ = write!(safe, "{}", c.escape_default());
        } else {
            safe.push(c);
        }
    }
    safe
}

/// Columns on a terminal.
pub fn width(text: &str) -> usize {
    text.width()
}

/// Breaks at spaces so that no line is wider than `limit` columns (at least 1); a word that is
/// wider is broken where it must be. Never empty.
pub fn wrap(text: &str, limit: Option<usize>) -> Vec<String> {
    wrap_words(text, limit, true)
}

/// The same, but a word that is wider has a line of its own, which the terminal breaks where it
/// must: copied from there it is whole.
pub fn wrap_whole(text: &str, limit: Option<usize>) -> Vec<String> {
    wrap_words(text, limit, false)
}

fn wrap_words(text: &str, limit: Option<usize>, broken: bool) -> Vec<String> {
    let limit = limit.map_or(usize::MAX, |limit| limit.max(1));
    if width(text) <= limit {
        return vec![text.to_owned()];
    }
    let mut lines = vec![String::new()];
    for word in words(text) {
        let line = last(&mut lines);
        let gap = usize::from(!line.is_empty());
        if width(line) + gap + width(word) <= limit {
            line.push_str(&" ".repeat(gap));
            line.push_str(word);
            continue;
        }
        if gap == 1 {
            lines.push(String::new());
        }
        if !broken {
            last(&mut lines).push_str(word);
            continue;
        }
        for c in word.chars() {
            let room = limit.saturating_sub(width(last(&mut lines)));
            if c.width().unwrap_or(0) > room && !last(&mut lines).is_empty() {
                lines.push(String::new());
            }
            last(&mut lines).push(c);
        }
    }
    lines
}

/// What stands between spaces; a command in backquotes is one word, so that it can be copied.
fn words(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = text.trim_matches(' ');
    while !rest.is_empty() {
        let space = rest.find(' ').unwrap_or(rest.len());
        let quote = rest[..space].find('`').map(|open| open + 1);
        let close = quote.and_then(|from| rest[from..].find('`').map(|close| from + close));
        let from = close.filter(|close| *close > space).unwrap_or(0);
        let end = rest[from..].find(' ').map_or(rest.len(), |space| from + space);
        words.push(&rest[..end]);
        rest = rest[end..].trim_start_matches(' ');
    }
    words
}

fn last(lines: &mut Vec<String>) -> &mut String {
    if lines.is_empty() {
        lines.push(String::new());
    }
    let end = lines.len() - 1;
    &mut lines[end]
}

/// Cuts to `limit` columns, with an ellipsis where something was cut off. For lines that are
/// overwritten at once, and for what another command shows whole.
pub fn cut(text: &str, limit: usize) -> String {
    if width(text) <= limit {
        return text.to_owned();
    }
    let mut short = String::new();
    for c in text.chars() {
        if width(&short) + c.width().unwrap_or(0) + 3 > limit {
            break;
        }
        short.push(c);
    }
    short + "..."
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_obeys_gets_through() {
        let check = |text: &str, want: &str| assert_eq!(clean(text), want, "{text:?}");
        check("plain, ümlaut, 日本, ●", "plain, ümlaut, 日本, ●");
        check("a\u{1b}[31mred", "a\\u{1b}[31mred");
        check("two\nlines\r\t\u{7}", "two\\nlines\\r\\t\\u{7}");
        check("\u{9b}31m\u{7f}", "\\u{9b}31m\\u{7f}");
        check("safe\u{202e}gnp.exe\u{2066}\u{200b}\u{feff}", {
            "safe\\u{202e}gnp.exe\\u{2066}\\u{200b}\\u{feff}"
        });
        check("\u{e0041}\u{2028}", "\\u{e0041}\\u{2028}");
    }

    #[test]
    fn lines_break_by_columns_and_not_by_bytes() {
        let check = |text: &str, limit, want: &[&str]| {
            assert_eq!(wrap(text, Some(limit)), want, "{text:?} in {limit}");
        };
        check("", 10, &[""]);
        check("one two three", 7, &["one two", "three"]);
        check("one two three", 13, &["one two three"]);
        check("abcdefghij", 4, &["abcd", "efgh", "ij"]);
        check("x abcdefghij y", 4, &["x", "abcd", "efgh", "ij y"]);
        check("日本語 日本", 4, &["日本", "語", "日本"]);
        check("日本", 1, &["日", "本"]);
        check("ab", 0, &["a", "b"]);
        check("say `a b c` now", 11, &["say `a b c`", "now"]);
        check("say (`a b c`) now", 11, &["say", "(`a b c`)", "now"]);
        check("it is `so", 5, &["it is", "`so"]);
        check("`a b c d`", 5, &["`a b ", "c d`"]);
        assert_eq!(wrap("left as it is", None), ["left as it is"]);
    }

    #[test]
    fn what_is_cut_says_so() {
        let check = |text, limit, want: &str| assert_eq!(cut(text, limit), want);
        check("short", 5, "short");
        check("much longer", 8, "much ...");
        check("日本語日本語", 8, "日本...");
    }
}
