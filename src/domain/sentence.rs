//! Sentences for people, wherever they come from.

use std::path::Path;

/// Where the system puts the number of its error, which says nothing that the words before do not.
const NUMBER: &str = " (os error ";

/// Without the numbers of the system's errors: `No such file or directory`.
pub fn plain(text: impl Into<String>) -> String {
    let mut text = text.into();
    let mut from = 0;
    while let Some(at) = text[from..].find(NUMBER).map(|at| from + at) {
        let digits = text[at + NUMBER.len()..].bytes().take_while(u8::is_ascii_digit).count();
        let end = at + NUMBER.len() + digits;
        from = at;
        if digits > 0 && text[end..].starts_with(')') {
            text.replace_range(at..=end, "");
        } else {
            from = end;
        }
    }
    text
}

/// `1 tag`, `3 tags`.
pub fn counted(number: usize, one: &str, more: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { more })
}

/// `once`, `twice`, `3 times`.
pub fn times(number: u64) -> String {
    match number {
        1 => "once".into(),
        2 => "twice".into(),
        number => format!("{number} times"),
    }
}

/// A path as a shell reads it as one word.
pub fn shell_word(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@:,".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text;
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// A part of a sentence that has commands in backquotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part<'a> {
    Prose(&'a str),
    /// To be pasted into a shell, so on a line of its own and whole; without its backquotes.
    Command(&'a str),
}

/// A command of more characters is not read within a sentence.
const LONG: usize = 60;

/// Takes the commands out that are longer than that, or than `limit`. Never empty.
pub fn parts(text: &str, limit: Option<usize>) -> Vec<Part<'_>> {
    let limit = limit.map_or(LONG, |limit| limit.min(LONG));
    let (mut parts, mut begin, mut from) = (Vec::new(), 0, 0);
    while let Some((open, close)) = quoted(text, from) {
        let command = &text[open + 1..close];
        from = close + 1;
        if command.chars().count() > limit && command.contains(' ') {
            prose(&text[begin..open], begin > 0, &mut parts);
            parts.push(Part::Command(command));
            begin = from;
        }
    }
    prose(&text[begin..], begin > 0, &mut parts);
    if parts.is_empty() { vec![Part::Prose(text)] } else { parts }
}

/// The next two backquotes.
fn quoted(text: &str, from: usize) -> Option<(usize, usize)> {
    let open = from + text[from..].find('`')?;
    Some((open, open + 1 + text[open + 1..].find('`')?))
}

/// After a command no line begins with what ended it.
fn prose<'a>(text: &'a str, after: bool, parts: &mut Vec<Part<'a>>) {
    let text = if after { text.trim_start_matches([',', ';', ':', '.', ')', ' ']) } else { text };
    let text = text.trim_end_matches(' ');
    if !text.is_empty() {
        parts.push(Part::Prose(text));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_command_is_taken_out_of_its_sentence_whole() {
        use Part::{Command, Prose};
        let long = "install -D -m 644 -t /etc/systemd/system /usr/share/heptad/heptad-mount.conf";
        let check = |text: &str, limit, want: &[Part<'_>]| {
            assert_eq!(parts(text, limit), want, "{text}");
        };
        check("", None, &[Prose("")]);
        check("no command", None, &[Prose("no command")]);
        check("say `heptactl list` now", None, &[Prose("say `heptactl list` now")]);
        let narrow = [Prose("say"), Command("heptactl list"), Prose("now")];
        check("say `heptactl list` now", Some(9), &narrow);
        let apart = [Prose("allow it:"), Command(long), Prose("then wait")];
        check(&format!("allow it: `{long}`, then wait"), None, &apart);
        check(&format!("`{long}`; `{long}`."), None, &[Command(long), Command(long)]);
        check(&format!("half `{long}"), None, &[Prose(&format!("half `{long}"))]);
        check(&format!("`{}`", "x".repeat(90)), None, &[Prose(&format!("`{}`", "x".repeat(90)))]);
    }

    #[test]
    fn a_path_is_quoted_only_where_a_shell_would_take_it_apart() {
        let check = |path: &str, want: &str| assert_eq!(shell_word(Path::new(path)), want);
        check("/srv/www-2", "/srv/www-2");
        check("/@www", "/@www");
        check("/srv/my site", "'/srv/my site'");
        check("/srv/it's", "'/srv/it'\\''s'");
        check("", "''");
    }

    #[test]
    fn one_is_never_called_as_many() {
        assert_eq!(
            [1, 2].map(|number| counted(number, "entry", "entries")),
            ["1 entry", "2 entries"]
        );
        assert_eq!([1, 2, 3].map(times), ["once", "twice", "3 times"]);
    }

    #[test]
    fn only_the_number_of_an_error_goes() {
        let check = |text: &str, want: &str| assert_eq!(plain(text), want);
        check("File exists (os error 17)", "File exists");
        check("a: b (os error 2); c: d (os error 13).", "a: b; c: d.");
        check("a file called x (os error y) is there", "a file called x (os error y) is there");
        check("cut (os error 1", "cut (os error 1");
        check("(os error 5)", "(os error 5)");
        check("\u{e4} (os error 5)\u{e4}", "\u{e4}\u{e4}");
    }
}
