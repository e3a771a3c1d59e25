//! What a program printed, made fit for a log and a terminal: it is somebody else's text.

/// One stream of a program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Captured {
    pub bytes: Vec<u8>,
    /// There was more than the limit.
    pub truncated: bool,
}

impl Captured {
    /// As text; line ends stay, other control characters do not.
    pub fn text(&self) -> String {
        let text = String::from_utf8_lossy(&self.bytes);
        text.chars().map(|c| if c == '\n' { c } else { harmless(c) }).collect()
    }

    /// The first lines that say anything, for a message of one line.
    pub fn first_lines(&self, most: usize) -> String {
        let text = String::from_utf8_lossy(&self.bytes);
        let lines = text.lines().filter(|line| !line.trim().is_empty()).take(most);
        lines.map(|line| plain(line.trim(), LINE)).collect::<Vec<_>>().join(" | ")
    }
}

/// Characters of a line that are worth repeating.
const LINE: usize = 300;

/// One harmless line of at most `most` characters: nothing in it moves a cursor, changes a colour
/// or turns the direction of writing.
pub fn plain(text: &str, most: usize) -> String {
    let mut line: String = text.chars().take(most).map(harmless).collect();
    if text.chars().nth(most).is_some() {
        line.push_str("...");
    }
    line
}

fn harmless(c: char) -> char {
    match c {
        c if c.is_control() => ' ',
        // The characters of the Unicode bidirectional algorithm (UAX #9, section 2).
        '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' => ' ',
        '\u{2028}' | '\u{2029}' | '\u{2066}'..='\u{2069}' => ' ',
        c => c,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_program_prints_reaches_a_terminal_as_an_order() {
        let captured = |text: &str| Captured { bytes: text.into(), truncated: false };
        assert_eq!(captured("a\x1b[31mb\r\nc\td").text(), "a [31mb \nc d");
        assert_eq!(captured("\n  one \n\n\x07two\nthree").first_lines(2), "one |  two");
        assert_eq!(plain("abc\u{202e}def", 5), "abc d...");
        assert_eq!(plain("abc", 3), "abc");
        let broken = Captured { bytes: vec![b'a', 0xff], truncated: true };
        assert_eq!(broken.text(), "a\u{fffd}");
    }
}
