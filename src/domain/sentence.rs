//! Sentences for people, wherever they come from.

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

#[cfg(test)]
mod tests {
    use super::*;

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
