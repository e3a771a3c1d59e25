//! A small part of Markdown, read into blocks: headings, paragraphs, lists, tables and code. What a
//! topic uses beyond that is left out here, and a test holds that none does.

use pulldown_cmark::{CodeBlockKind, Event, HeadingLevel, Options, Parser, Tag, TagEnd};

/// Text in one style.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Span {
    Plain(String),
    Code(String),
    Strong(String),
    Emphasis(String),
    /// To another text of this directory, or to the web.
    Link {
        text: String,
        to: String,
    },
}

/// What runs on until its end, and is wrapped.
pub(super) type Line = Vec<Span>;

/// One piece of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Block {
    Heading(u8, Line),
    Paragraph(Line),
    /// As it is, line by line.
    Code(String),
    List(Vec<Line>),
    /// Its first row is the head.
    Table(Vec<Vec<Line>>),
}

/// Reads a text.
pub(super) fn read(text: &str) -> Vec<Block> {
    let mut reader = Reader::default();
    Parser::new_ext(text, Options::ENABLE_TABLES).for_each(|event| reader.event(event));
    reader.blocks
}

#[derive(Default)]
struct Reader {
    blocks: Vec<Block>,
    line: Line,
    items: Vec<Line>,
    rows: Vec<Vec<Line>>,
    row: Vec<Line>,
    code: Option<String>,
    in_item: bool,
    style: Style,
}

#[derive(Clone, Default)]
enum Style {
    #[default]
    Plain,
    Strong,
    Emphasis,
    Link(String),
}

impl Reader {
    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(tag),
            Event::Text(text) => match &mut self.code {
                Some(code) => code.push_str(&text),
                None => self.say(&text),
            },
            Event::Code(text) => self.line.push(Span::Code(text.to_string())),
            Event::SoftBreak | Event::HardBreak => self.say(" "),
            _ => {}
        }
    }

    fn start(&mut self, tag: Tag<'_>) {
        match tag {
            Tag::CodeBlock(CodeBlockKind::Fenced(_) | CodeBlockKind::Indented) => {
                self.code = Some(String::new());
            }
            Tag::Item => self.in_item = true,
            Tag::Strong => self.style = Style::Strong,
            Tag::Emphasis => self.style = Style::Emphasis,
            Tag::Link { dest_url, .. } => self.style = Style::Link(dest_url.to_string()),
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Heading(level) => {
                let line = std::mem::take(&mut self.line);
                self.blocks.push(Block::Heading(depth(level), line));
            }
            TagEnd::Paragraph if !self.in_item => {
                let line = std::mem::take(&mut self.line);
                self.blocks.push(Block::Paragraph(line));
            }
            TagEnd::CodeBlock => {
                self.blocks.extend(self.code.take().map(Block::Code));
            }
            TagEnd::Item => {
                self.in_item = false;
                self.items.push(std::mem::take(&mut self.line));
            }
            TagEnd::List(_) => self.blocks.push(Block::List(std::mem::take(&mut self.items))),
            TagEnd::TableCell => self.row.push(std::mem::take(&mut self.line)),
            TagEnd::TableHead | TagEnd::TableRow => self.rows.push(std::mem::take(&mut self.row)),
            TagEnd::Table => self.blocks.push(Block::Table(std::mem::take(&mut self.rows))),
            TagEnd::Strong | TagEnd::Emphasis | TagEnd::Link => self.style = Style::Plain,
            _ => {}
        }
    }

    /// Parsers cut a text where they like; what is of one style goes together.
    fn say(&mut self, text: &str) {
        let span = match &self.style {
            Style::Plain => match self.line.last_mut() {
                Some(Span::Plain(last)) => return last.push_str(text),
                _ => Span::Plain(text.into()),
            },
            Style::Strong => match self.line.last_mut() {
                Some(Span::Strong(last)) => return last.push_str(text),
                _ => Span::Strong(text.into()),
            },
            Style::Emphasis => match self.line.last_mut() {
                Some(Span::Emphasis(last)) => return last.push_str(text),
                _ => Span::Emphasis(text.into()),
            },
            Style::Link(to) => Span::Link { text: text.into(), to: to.clone() },
        };
        self.line.push(span);
    }
}

fn depth(level: HeadingLevel) -> u8 {
    match level {
        HeadingLevel::H1 => 1,
        HeadingLevel::H2 => 2,
        _ => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_read_into_blocks() {
        let plain = |text: &str| Span::Plain(text.into());
        let check = |text: &str, want: &[Block]| assert_eq!(read(text), want, "{text}");
        check("# A title\n", &[Block::Heading(1, vec![plain("A title")])]);
        check("one\ntwo\n", &[Block::Paragraph(vec![plain("one two")])]);
        check("```sh\nls\n\npwd\n```\n", &[Block::Code("ls\n\npwd\n".into())]);
        check(
            "* `a b` is *it*\n* two\n  lines\n",
            &[Block::List(vec![
                vec![Span::Code("a b".into()), plain(" is "), Span::Emphasis("it".into())],
                vec![plain("two lines")],
            ])],
        );
        check(
            "| a | b |\n|---|---|\n| 1 | [x](x.md) |\n",
            &[Block::Table(vec![
                vec![vec![plain("a")], vec![plain("b")]],
                vec![vec![plain("1")], vec![Span::Link { text: "x".into(), to: "x.md".into() }]],
            ])],
        );
    }
}
