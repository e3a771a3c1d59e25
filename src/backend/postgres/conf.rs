//! The grammar of PostgreSQL's configuration files, as far as it is needed to see what they set and
//! which other files they lead to. Bytes in, bytes out: nothing says that they are UTF-8.

use std::ffi::OsStr;
use std::ops::Range;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Grammar {
    /// `postgresql.conf` and what it includes.
    Settings,
    /// `pg_hba.conf`, `pg_ident.conf`, and what they include.
    Access,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leads {
    File,
    FileIfThere,
    /// To all in it whose names end in `.conf`.
    Dir,
    /// To a list of names, by `@file`.
    Names,
}

/// A place in a file that leads to another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Include {
    pub leads: Leads,
    /// As it is written, perhaps relative to the directory of the file that says it.
    pub path: PathBuf,
    /// What is to be replaced to lead elsewhere.
    span: Range<usize>,
}

/// What becomes of an include in a copy of the file.
pub(super) enum Becomes {
    Path(PathBuf),
    /// A comment: there is nothing that it could lead to.
    Comment,
}

/// One word of a file: its text without quotes, and where it is.
struct Word {
    text: Vec<u8>,
    span: Range<usize>,
    is_quoted: bool,
}

pub(super) fn includes(text: &[u8], grammar: Grammar) -> Vec<Include> {
    lines(text, grammar).into_iter().flat_map(|line| of_line(line, grammar)).collect()
}

/// The settings of a file in its order, names in small letters.
pub(super) fn settings(text: &[u8]) -> Vec<(String, Vec<u8>)> {
    let pair = |line: Vec<Word>| {
        let [name, value] = <[Word; 2]>::try_from(line).ok()?;
        Some((String::from_utf8(name.text).ok()?.to_ascii_lowercase(), value.text))
    };
    lines(text, Grammar::Settings).into_iter().filter_map(pair).collect()
}

/// The same file with its includes changed.
pub(super) fn rewritten(
    text: &[u8],
    grammar: Grammar,
    becomes: &mut dyn FnMut(&Include) -> Becomes,
) -> Vec<u8> {
    let (mut new, mut done) = (Vec::with_capacity(text.len()), 0);
    for include in includes(text, grammar) {
        match becomes(&include) {
            Becomes::Path(path) => {
                new.extend_from_slice(&text[done..include.span.start]);
                new.extend_from_slice(&written(&path, include.leads, grammar));
                done = include.span.end;
            }
            Becomes::Comment => {
                let before = text[done..include.span.start].iter().rposition(|byte| *byte == b'\n');
                let line = before.map_or(done, |at| done + at + 1);
                new.extend_from_slice(&text[done..line]);
                new.extend_from_slice(b"# not in the snapshot: ");
                done = line;
            }
        }
    }
    new.extend_from_slice(&text[done..]);
    new
}

/// The same file with the lines that set one of these as comments.
pub(super) fn without(text: &[u8], names: &[&str]) -> Vec<u8> {
    let (mut new, mut done) = (Vec::with_capacity(text.len()), 0);
    for line in lines(text, Grammar::Settings) {
        let Some(name) = line.first() else { continue };
        let is_named = |one: &&str| name.text.eq_ignore_ascii_case(one.as_bytes());
        if names.iter().any(is_named) {
            new.extend_from_slice(&text[done..name.span.start]);
            new.extend_from_slice(b"# of the original: ");
            done = name.span.start;
        }
    }
    new.extend_from_slice(&text[done..]);
    new
}

fn written(path: &Path, leads: Leads, grammar: Grammar) -> Vec<u8> {
    let (before, quote) = match (grammar, leads) {
        (Grammar::Settings, _) => (&b""[..], b'\''),
        (Grammar::Access, Leads::Names) => (&b"@"[..], b'"'),
        (Grammar::Access, _) => (&b""[..], b'"'),
    };
    let doubled = |byte: &u8| {
        let twice = *byte == quote || *byte == b'\\' && grammar == Grammar::Settings;
        std::iter::repeat_n(*byte, if twice { 2 } else { 1 })
    };
    let mut text = [before, &[quote]].concat();
    text.extend(path.as_os_str().as_bytes().iter().flat_map(doubled));
    text.push(quote);
    text
}

fn of_line(line: Vec<Word>, grammar: Grammar) -> Vec<Include> {
    let path = |text: &[u8]| PathBuf::from(OsStr::from_bytes(text));
    if let [name, value, ..] = &line[..]
        && let Some(leads) = directive(name)
        && !value.text.is_empty()
    {
        return vec![Include { leads, path: path(&value.text), span: value.span.clone() }];
    }
    if grammar == Grammar::Settings {
        return Vec::new();
    }
    let names = line.into_iter().filter(|word| !word.is_quoted && word.text.len() > 1);
    let names = names.filter(|word| word.text[0] == b'@');
    names
        .map(|word| Include { leads: Leads::Names, path: path(&word.text[1..]), span: word.span })
        .collect()
}

fn directive(word: &Word) -> Option<Leads> {
    match word.text.to_ascii_lowercase().as_slice() {
        _ if word.is_quoted => None,
        b"include" => Some(Leads::File),
        b"include_if_exists" => Some(Leads::FileIfThere),
        b"include_dir" => Some(Leads::Dir),
        _ => None,
    }
}

/// The words of each line that has some: of settings at most a name and a value.
fn lines(text: &[u8], grammar: Grammar) -> Vec<Vec<Word>> {
    let (mut lines, mut line, mut at) = (Vec::new(), Vec::new(), 0);
    while let Some(byte) = text.get(at) {
        match (byte, grammar) {
            (b'\n', _) => {
                lines.push(std::mem::take(&mut line));
                at += 1;
            }
            (b'#', _) => at = end_of_line(text, at),
            // A line goes on after it.
            (b'\\', Grammar::Access) if text.get(at + 1) == Some(&b'\n') => at += 2,
            (b'=', Grammar::Settings) | (b',', Grammar::Access) => at += 1,
            (byte, _) if byte.is_ascii_whitespace() => at += 1,
            (_, Grammar::Settings) => at = push(&mut line, setting_word(text, at)),
            (_, Grammar::Access) => at = push(&mut line, access_word(text, at)),
        }
    }
    lines.push(line);
    lines.retain(|line| !line.is_empty());
    lines
}

fn push(line: &mut Vec<Word>, word: Word) -> usize {
    let end = word.span.end;
    line.push(word);
    end
}

fn end_of_line(text: &[u8], at: usize) -> usize {
    text[at..].iter().position(|byte| *byte == b'\n').map_or(text.len(), |length| at + length)
}

/// `'it''s'`, with the escapes of C, or a bare word.
fn setting_word(text: &[u8], start: usize) -> Word {
    let is_quoted = text[start] == b'\'';
    let (mut value, mut at) = (Vec::new(), start + usize::from(is_quoted));
    while let Some(byte) = text.get(at).copied().filter(|byte| *byte != b'\n') {
        let next = text.get(at + 1).copied();
        match (byte, next) {
            (b'\'', Some(b'\'')) if is_quoted => at += 1,
            (b'\'', _) if is_quoted => break,
            (b'\\', Some(escaped)) if is_quoted && escaped != b'\n' => {
                value.push(escaped);
                at += 2;
                continue;
            }
            (b'=' | b'#', _) if !is_quoted => break,
            (byte, _) if !is_quoted && byte.is_ascii_whitespace() => break,
            _ => {}
        }
        value.push(byte);
        at += 1;
    }
    let closing = usize::from(is_quoted && text.get(at) == Some(&b'\''));
    Word { text: value, span: start..at + closing, is_quoted }
}

/// Quotes may begin anywhere in it, and a doubled one in them is itself.
fn access_word(text: &[u8], start: usize) -> Word {
    let (mut value, mut at, mut inside) = (Vec::new(), start, false);
    while let Some(byte) = text.get(at).copied().filter(|byte| *byte != b'\n') {
        match byte {
            b'"' if inside && text.get(at + 1) == Some(&b'"') => {
                value.push(b'"');
                at += 1;
            }
            b'"' => inside = !inside,
            b',' | b'#' if !inside => break,
            byte if !inside && byte.is_ascii_whitespace() => break,
            byte => value.push(byte),
        }
        at += 1;
    }
    Word { text: value, span: start..at, is_quoted: text[start] == b'"' }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_others_lead_to_are_found() {
        let check = |grammar: Grammar, text: &str, want: &[(Leads, &str)]| {
            let found = includes(text.as_bytes(), grammar);
            let found: Vec<(Leads, &str)> =
                found.iter().map(|one| (one.leads, one.path.to_str().unwrap())).collect();
            assert_eq!(found, want, "{text:?}");
        };
        let (settings, access) = (Grammar::Settings, Grammar::Access);
        check(settings, "include_dir = 'conf.d'\t# more\n", &[(Leads::Dir, "conf.d")]);
        check(
            settings,
            "Include 'it''s' \ninclude_if_exists='x\\'y'",
            &[(Leads::File, "it's"), (Leads::FileIfThere, "x'y")],
        );
        check(settings, "#include 'a'\ninclude_x = 'b'\nwork_mem=4MB # include 'c'\n", &[]);
        check(settings, "include\ninclude ''\n'include' 'a'\nx = 'include a'\n", &[]);
        check(settings, "include plain.conf#x\n", &[(Leads::File, "plain.conf")]);
        check(
            access,
            "local all @admins,\"@no\",@\"two words\" peer\n",
            &[(Leads::Names, "admins"), (Leads::Names, "two words")],
        );
        check(
            access,
            "include \"a \"\"b\"\"\"\n# include x\nlocal include x peer\n",
            &[(Leads::File, "a \"b\"")],
        );
        check(access, "local \\\n all @x peer # @y\n", &[(Leads::Names, "x")]);
        check(access, "local all @ peer\n", &[]);
    }

    #[test]
    fn a_copy_leads_to_where_the_copies_are_and_is_else_the_same() {
        let check = |grammar: Grammar, text: &[u8], want: &[u8]| {
            let new = rewritten(text, grammar, &mut |include| match include.path.to_str() {
                Some("gone") => Becomes::Comment,
                _ => Becomes::Path(Path::new("/it's").join(&include.path)),
            });
            assert_eq!(String::from_utf8_lossy(&new), String::from_utf8_lossy(want));
        };
        check(
            Grammar::Settings,
            b"a = 1 # \xe4\n  include 'b' # c\ninclude_dir = gone\nd = 'e'",
            b"a = 1 # \xe4\n  include '/it''s/b' # c\n# not in the snapshot: include_dir = gone\nd = 'e'",
        );
        check(Grammar::Settings, b"include 'gone'\n", b"# not in the snapshot: include 'gone'\n");
        check(
            Grammar::Access,
            b"local all @b,c peer\ninclude_dir d\n",
            b"local all @\"/it's/b\",c peer\ninclude_dir \"/it's/d\"\n",
        );
    }

    #[test]
    fn settings_are_taken_out_line_by_line() {
        let text = b"Port = 1\n  port=2 # x\nport_x = 3\n#port = 4\nx = 'port = 5'";
        let want = "# of the original: Port = 1\n  # of the original: port=2 # x\nport_x = 3\n\
                    #port = 4\nx = 'port = 5'";
        assert_eq!(String::from_utf8(without(text, &["port"])).unwrap(), want);
    }

    #[test]
    fn settings_are_read_in_their_order() {
        let text = b"Port = 1\nport 2\n# port = 3\nname='a''b' # x\nport\n";
        let found = settings(text);
        let found: Vec<(&str, &[u8])> = found.iter().map(|(n, v)| (n.as_str(), &v[..])).collect();
        assert_eq!(found, [("port", &b"1"[..]), ("port", b"2"), ("name", b"a'b")]);
    }
}
