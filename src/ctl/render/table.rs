//! Columns aligned by display width.

use super::page::{Page, Span};

const GAP: usize = 2;

/// The last column is wrapped down to this width; below it the table becomes a list.
const NARROW: usize = 16;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    Left,
    Right,
}

#[derive(Clone, Debug)]
enum Row {
    Section(Span),
    Cells(Vec<Span>),
}

/// A table whose last column holds sentences. Where the terminal is too narrow for it, each row
/// is printed as a list of fields: nothing is cut off and nothing wraps out of its column.
#[derive(Clone, Debug)]
pub struct Table {
    heads: Vec<(&'static str, Align)>,
    rows: Vec<Row>,
}

impl Table {
    pub fn new(heads: &[(&'static str, Align)]) -> Self {
        Self { heads: heads.to_vec(), rows: Vec::new() }
    }

    /// A title above the rows that follow.
    pub fn section(&mut self, title: Span) {
        self.rows.push(Row::Section(title));
    }

    /// One span per head.
    pub fn row(&mut self, cells: impl IntoIterator<Item = Span>) {
        self.rows.push(Row::Cells(cells.into_iter().collect()));
    }

    pub fn print(&self, page: &mut Page) {
        let widths = self.widths();
        let Some((last, fixed)) = widths.split_last() else { return };
        let fixed: usize = fixed.iter().map(|width| width + GAP).sum();
        let room = page.width().map(|width| width.saturating_sub(fixed));
        if room.is_some_and(|room| room < *last && room < NARROW) {
            return self.print_as_list(page);
        }
        let heads = self.heads.iter().map(|(head, _)| Span::dim(head)).collect::<Vec<_>>();
        self.print_row(page, &heads, &widths, room);
        let mut first = true;
        for row in &self.rows {
            match row {
                Row::Section(title) => {
                    if !first {
                        page.gap();
                    }
                    page.prose(0, title);
                }
                Row::Cells(cells) => self.print_row(page, cells, &widths, room),
            }
            first = false;
        }
    }

    fn widths(&self) -> Vec<usize> {
        let mut widths: Vec<usize> = self.heads.iter().map(|(head, _)| head.len()).collect();
        for row in &self.rows {
            if let Row::Cells(cells) = row {
                for (width, cell) in widths.iter_mut().zip(cells) {
                    *width = (*width).max(cell.width());
                }
            }
        }
        widths
    }

    fn print_row(&self, page: &mut Page, cells: &[Span], widths: &[usize], room: Option<usize>) {
        let Some((last, fixed)) = cells.split_last() else { return };
        let mut start = Vec::new();
        for ((cell, width), (_, align)) in fixed.iter().zip(widths).zip(&self.heads) {
            let fill = Span::plain(" ".repeat(width.saturating_sub(cell.width())));
            let gap = Span::plain(" ".repeat(GAP));
            match align {
                Align::Left => start.extend([cell.clone(), fill, gap]),
                Align::Right => start.extend([fill, cell.clone(), gap]),
            }
        }
        let indent: usize = start.iter().map(Span::width).sum();
        for piece in last.wrapped(room) {
            let begin = std::mem::replace(&mut start, vec![Span::plain(" ".repeat(indent))]);
            page.line(begin.into_iter().chain([piece]));
        }
    }

    fn print_as_list(&self, page: &mut Page) {
        for row in &self.rows {
            match row {
                Row::Section(title) => {
                    page.gap();
                    page.prose(0, title);
                }
                Row::Cells(cells) => {
                    page.gap();
                    for ((head, _), cell) in self.heads.iter().zip(cells) {
                        if cell.width() > 0 {
                            page.field(&head.to_lowercase(), cell);
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(width: Option<usize>) -> String {
        let mut table =
            Table::new(&[("NAME", Align::Left), ("SIZE", Align::Right), ("NOTE", Align::Left)]);
        table.section(Span::plain("here"));
        table.row(["日本", "5 KiB", "a note that is rather long"].map(Span::plain));
        table.row(["home", "1 MiB", ""].map(Span::plain));
        let mut page = Page::new(width);
        table.print(&mut page);
        page.print(false)
    }

    #[test]
    fn columns_stand_under_each_other_by_display_width() {
        let want =
            "NAME   SIZE  NOTE\nhere\n日本  5 KiB  a note that is rather long\nhome  1 MiB\n";
        assert_eq!(printed(None), want);
        assert_eq!(printed(Some(80)), want);
    }

    #[test]
    fn the_last_column_is_wrapped_and_a_narrow_terminal_gets_a_list() {
        let want = "NAME   SIZE  NOTE\nhere\n日本  5 KiB  a note that is\n             rather long\n\
                    home  1 MiB\n";
        assert_eq!(printed(Some(32)), want);
        let want = "here\n\n  name      日本\n  size      5 KiB\n  note      a note that is\n            \
                    rather long\n\n  name      home\n  size      1 MiB\n";
        assert_eq!(printed(Some(26)), want);
    }
}
