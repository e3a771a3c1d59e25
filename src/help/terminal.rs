//! A text as a terminal of eighty columns shows it.

use super::document::{Block, Line, Span};
use super::topics::Topic;
use super::{WIDTH, wrap};
use std::fmt::Write;
use unicode_width::UnicodeWidthStr;

/// Stands for a space where no line may be broken.
const FIXED: char = '\u{a0}';

/// A command up to this long is not broken, so that it can be copied.
const WHOLE: usize = 48;

/// Between the columns of a table.
const GAP: usize = 2;

/// The text; `program` is whose help shows it, and what leads to another topic.
pub(super) fn text(blocks: &[Block], program: &str) -> String {
    let mut text = String::new();
    for block in blocks {
        if !text.is_empty() {
            text.push('\n');
        }
        match block {
            Block::Heading(1, line) => {
                let title = spoken(line, program);
                let _ = writeln!(text, "{title}\n{}", "=".repeat(title.width()));
            }
            Block::Heading(2, line) => {
                let title = spoken(line, program);
                let _ = writeln!(text, "{title}\n{}", "-".repeat(title.width()));
            }
            Block::Heading(_, line) => {
                let _ = writeln!(text, "{}:", spoken(line, program));
            }
            Block::Paragraph(line) => paragraph(&spoken(line, program), "", &mut text),
            Block::List(items) => {
                items.iter().for_each(|item| paragraph(&spoken(item, program), "* ", &mut text));
            }
            Block::Code(code) => text.push_str(&block_of(code, WIDTH)),
            // A column may be narrower than a command.
            Block::Table(rows) => {
                text.push_str(&table(rows, WIDTH, &|cell| put(cell, program, 0)));
            }
        }
    }
    text.replace(FIXED, " ")
}

/// Code, four columns to the right. What a program printed and is too wide goes on below.
pub(super) fn block_of(code: &str, width: usize) -> String {
    let mut text = String::new();
    for line in code.lines() {
        if line.width() + 4 <= width {
            let _ = writeln!(text, "{}", format!("    {line}").trim_end());
            continue;
        }
        let lead = line.len() - line.trim_start().len();
        for (nth, part) in wrap(line, width - 6 - lead).iter().enumerate() {
            let further = if nth == 0 { 0 } else { 2 };
            let _ = writeln!(text, "    {:further$}{:lead$}{part}", "", "");
        }
    }
    text
}

/// A table whose widest rows are broken within their columns.
pub(super) fn table(rows: &[Vec<Line>], width: usize, spoken: &dyn Fn(&Line) -> String) -> String {
    let spoken = |row: &Vec<Line>| row.iter().map(spoken).collect();
    let rows: Vec<Vec<String>> = rows.iter().map(spoken).collect();
    let widths = widths(&rows, width);
    let broken: Vec<Vec<Vec<String>>> = rows
        .iter()
        .map(|row| row.iter().zip(&widths).map(|(cell, width)| wrap(cell, *width)).collect())
        .collect();
    let apart = broken.iter().flatten().any(|cell| cell.len() > 1);
    let mut text = String::new();
    for (nth, row) in broken.iter().enumerate() {
        if apart && nth > 0 {
            text.push('\n');
        }
        for line in 0..row.iter().map(Vec::len).max().unwrap_or_default() {
            let mut shown = String::new();
            for (cell, width) in row.iter().zip(&widths) {
                let part = cell.get(line).map_or("", String::as_str);
                let fill = width.saturating_sub(part.width()) + GAP;
                let _ = write!(shown, "{part}{:fill$}", "");
            }
            let _ = writeln!(text, "{}", shown.trim_end());
        }
    }
    text.replace(FIXED, " ")
}

/// Each column as wide as its longest word; what is left goes where the most is to be said.
fn widths(rows: &[Vec<String>], limit: usize) -> Vec<usize> {
    let count = rows.iter().map(Vec::len).max().unwrap_or_default();
    let column = |n: usize| rows.iter().filter_map(move |row| row.get(n));
    let longest = |text: &String| text.split(' ').map(|word| word.width()).max().unwrap_or(0);
    let natural: Vec<usize> =
        (0..count).map(|n| column(n).map(|cell| cell.width()).max().unwrap_or(0)).collect();
    let mut widths: Vec<usize> =
        (0..count).map(|n| column(n).map(longest).max().unwrap_or(0)).collect();
    let gaps = GAP * count.saturating_sub(1);
    while widths.iter().sum::<usize>() + gaps < limit {
        let wanting = (0..count).filter(|n| widths[*n] < natural[*n]);
        let Some(most) = wanting.max_by_key(|n| natural[*n] * 1000 / widths[*n].max(1)) else {
            break;
        };
        widths[most] += 1;
    }
    widths
}

fn paragraph(spoken: &str, bullet: &str, text: &mut String) {
    let indent = bullet.len();
    for (nth, line) in wrap(spoken, WIDTH - indent).iter().enumerate() {
        let lead = if nth == 0 { bullet } else { "" };
        let _ = writeln!(text, "{lead:indent$}{line}");
    }
}

fn spoken(line: &Line, program: &str) -> String {
    put(line, program, WHOLE)
}

/// Without styles; a link to another topic is what has to be typed to read it. Commands of up to
/// so many columns stay whole.
fn put(line: &Line, program: &str, whole: usize) -> String {
    let code = |text: &str| match text.width() <= whole {
        true => format!("`{}`", text.replace(' ', &FIXED.to_string())),
        false => format!("`{text}`"),
    };
    let mut text = String::new();
    for span in line {
        match span {
            Span::Plain(part) | Span::Strong(part) | Span::Emphasis(part) => text.push_str(part),
            Span::Code(part) => text.push_str(&code(part)),
            Span::Link { text: shown, to } => match Topic::of_link(to) {
                Some(topic) => text.push_str(&code(&format!("{program} help {}", topic.name))),
                None => {
                    let _ = write!(text, "{shown} ({to})");
                }
            },
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::document::read;
    use super::*;

    #[test]
    fn a_text_is_wrapped_and_a_command_stays_whole() {
        let check = |markdown: &str, want: &str| {
            assert_eq!(text(&read(markdown), "heptactl"), want, "{markdown}");
        };
        check("# A title\n\nOne *word*.\n", "A title\n=======\n\nOne word.\n");
        check("## Part\n\n```sh\nls\n```\n", "Part\n----\n\n    ls\n");
        let words = "word ".repeat(12);
        check(
            &format!("{words}`heptactl take www before`."),
            &format!("{}\n`heptactl take www before`.\n", words.trim_end()),
        );
        check("* one\n* two\n", "* one\n* two\n");
        check("See [rollback](rollback.md).\n", "See `heptactl help rollback`.\n");
    }

    #[test]
    fn a_table_fits_and_what_is_too_long_is_broken_in_its_column() {
        let check = |markdown: &str, width: usize, want: &str| match &read(markdown)[..] {
            [Block::Table(rows)] => {
                assert_eq!(table(rows, width, &|cell| spoken(cell, "heptad")), want);
            }
            other => panic!("{other:?}"),
        };
        check("| a | b |\n|---|---|\n| one | two |\n", 80, "a    b\none  two\n");
        check(
            "| a | b |\n|---|---|\n| one | two three four |\n",
            15,
            "a    b\n\none  two three\n     four\n",
        );
    }
}
