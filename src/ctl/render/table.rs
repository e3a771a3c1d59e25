//! Columns aligned by display width.

use super::page::{Page, Span};
use super::text;

const GAP: usize = 2;

/// The last column is wrapped or cut down to this width; where it would be narrower, the cells of
/// a row flow one after the other.
const NARROW: usize = 16;

/// How far the further lines of a row that flows stand to the right.
const HANG: usize = 4;

/// A cell wider than this, and than twice what is usual in its column, is no reason to make the
/// column as wide.
const WIDE: usize = 40;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    Left,
    Right,
}

/// What stands in a column of one row; several spans where parts mean different things.
type Cell = Vec<Span>;

#[derive(Clone, Debug)]
enum Row {
    Section(Span),
    Cells(Vec<Cell>),
}

/// A table whose last column may hold sentences. One cell that is much wider than its column takes
/// more lines for its own row only, and on a narrow terminal the cells of each row flow.
#[derive(Clone, Debug)]
pub struct Table {
    heads: Vec<(String, Align)>,
    rows: Vec<Row>,
    in_short: bool,
}

impl Table {
    pub fn new(heads: impl IntoIterator<Item = (impl Into<String>, Align)>) -> Self {
        let heads = heads.into_iter().map(|(head, align)| (head.into(), align)).collect();
        Self { heads, rows: Vec::new(), in_short: false }
    }

    /// The last column is cut after two lines: another command shows the whole of it.
    #[must_use]
    pub fn in_short(self) -> Self {
        Self { in_short: true, ..self }
    }

    /// A title above the rows that follow.
    pub fn section(&mut self, title: Span) {
        self.rows.push(Row::Section(title));
    }

    /// One span per head.
    pub fn row(&mut self, cells: impl IntoIterator<Item = Span>) {
        self.cells(cells.into_iter().map(|span| vec![span]));
    }

    /// The same, with cells of several spans.
    pub fn cells(&mut self, cells: impl IntoIterator<Item = Vec<Span>>) {
        self.rows.push(Row::Cells(cells.into_iter().collect()));
    }

    pub fn print(&self, page: &mut Page) {
        let layout = self.layout(page.width());
        let heads: Vec<Cell> = self.heads.iter().map(|(head, _)| vec![Span::dim(head)]).collect();
        self.print_row(page, &heads, layout.as_ref());
        for (number, row) in self.rows.iter().enumerate() {
            match row {
                Row::Section(title) => {
                    if number > 0 {
                        page.gap();
                    }
                    page.prose(0, title);
                }
                Row::Cells(cells) => self.print_row(page, cells, layout.as_ref()),
            }
        }
    }

    fn print_row(&self, page: &mut Page, cells: &[Cell], layout: Option<&Layout>) {
        match layout {
            Some(layout) => self.print_aligned(page, cells, layout),
            None => self.flow(page, cells),
        }
    }

    /// None where the columns do not fit beside each other.
    fn layout(&self, width: Option<usize>) -> Option<Layout> {
        let mut columns: Vec<Column> = (0..self.heads.len()).map(|at| self.column(at)).collect();
        let last = columns.pop()?.widest();
        loop {
            let fixed: usize = columns.iter().map(|column| column.width() + GAP).sum();
            let Some(width) = width else { return Some(Layout::new(&columns, None)) };
            let room = width.saturating_sub(fixed);
            if room >= last.min(NARROW) {
                return Some(Layout::new(&columns, Some(room)));
            }
            let widest = columns.iter_mut().filter(|column| column.can_shrink());
            widest.max_by_key(|column| column.width())?.shrink();
        }
    }

    fn column(&self, at: usize) -> Column {
        let cells = self.rows.iter().filter_map(|row| match row {
            Row::Cells(cells) => cells.get(at).map(|cell| width(cell)),
            Row::Section(_) => None,
        });
        let head = self.heads.get(at).map_or(0, |(head, _)| text::width(head));
        Column::new(head, cells.collect())
    }

    fn print_aligned(&self, page: &mut Page, cells: &[Cell], layout: &Layout) {
        let Some((last, fixed)) = cells.split_last() else { return };
        let mut line: Vec<Span> = Vec::new();
        let mut begin = 0;
        for ((cell, column), (_, align)) in fixed.iter().zip(&layout.columns).zip(&self.heads) {
            let fill = match align {
                Align::Left => 0,
                Align::Right => column.saturating_sub(width(cell)),
            };
            line.push(blank(begin + fill, &line));
            if width(cell) > *column && layout.room.is_some() {
                // Its own lines, so that what follows stands in its columns all the same.
                let room = page.width().map(|width| width.saturating_sub(begin).max(1));
                for piece in pieces(cell, room) {
                    page.line(std::mem::take(&mut line).into_iter().chain([piece]));
                    line.push(blank(begin, &line));
                }
            } else {
                line.extend(cell.iter().cloned());
            }
            begin += column + GAP;
        }
        line.push(blank(begin, &line));
        // Wider only where nothing is wrapped: after a cell that was wider than its column.
        let indent: usize = line.iter().map(Span::width).sum();
        for piece in self.last(last, layout.room) {
            let start = std::mem::replace(&mut line, vec![Span::plain(" ".repeat(indent))]);
            page.line(start.into_iter().chain(piece));
        }
    }

    /// The lines of the last cell.
    fn last(&self, cell: &Cell, room: Option<usize>) -> Vec<Cell> {
        match (room, cell.as_slice()) {
            (Some(room), [span]) if self.in_short => {
                span.in_short(room).into_iter().map(|span| vec![span]).collect()
            }
            (room, [span]) => span.wrapped(room).into_iter().map(|span| vec![span]).collect(),
            _ => vec![cell.clone()],
        }
    }

    /// One cell after the other, each line after the first a little to the right.
    fn flow(&self, page: &mut Page, cells: &[Cell]) {
        let limit = page.width().unwrap_or(usize::MAX);
        let mut line: Vec<Span> = Vec::new();
        for (at, cell) in cells.iter().enumerate() {
            if width(cell) == 0 && at > 0 {
                continue;
            }
            let used: usize = line.iter().map(Span::width).sum();
            if used > 0 && used + GAP + width(cell) > limit {
                page.line(std::mem::take(&mut line));
            }
            let is_first = at == 0 && width(cell) > 0;
            if !is_first {
                line.push(Span::plain(" ".repeat(if line.is_empty() { HANG } else { GAP })));
            }
            let room = limit.saturating_sub(if is_first { 0 } else { HANG });
            let cuts = self.in_short && at + 1 == cells.len();
            let mut pieces = match cell.as_slice() {
                _ if width(cell) <= room => {
                    line.extend(cell.iter().cloned());
                    continue;
                }
                [span] if cuts => vec![span.cut(room)],
                _ => pieces(cell, Some(limit.saturating_sub(HANG))),
            }
            .into_iter();
            line.extend(pieces.next());
            for piece in pieces {
                page.line(std::mem::replace(&mut line, vec![Span::plain(" ".repeat(HANG)), piece]));
            }
        }
        if !line.is_empty() {
            page.line(line);
        }
    }
}

fn width(cell: &[Span]) -> usize {
    cell.iter().map(Span::width).sum()
}

/// From the end of a line to where a cell begins.
fn blank(begin: usize, line: &[Span]) -> Span {
    let used = width(line);
    let gap = if used == 0 { 0 } else { GAP };
    Span::plain(" ".repeat(begin.max(used + gap) - used))
}

fn pieces(cell: &[Span], limit: Option<usize>) -> Vec<Span> {
    Span::joined(cell).wrapped(limit)
}

/// Where the columns before the last stand, and what is left for that.
struct Layout {
    columns: Vec<usize>,
    room: Option<usize>,
}

impl Layout {
    fn new(columns: &[Column], room: Option<usize>) -> Self {
        Self { columns: columns.iter().map(Column::width).collect(), room }
    }
}

/// How wide the cells of a column are, and how many of the widest are left out of account.
struct Column {
    head: usize,
    /// Sorted.
    cells: Vec<usize>,
    left_out: usize,
}

impl Column {
    fn new(head: usize, mut cells: Vec<usize>) -> Self {
        cells.sort_unstable();
        let usual = cells.get(cells.len() / 2).copied().unwrap_or(0);
        let limit = WIDE.max(usual * 2);
        let left_out = cells.iter().filter(|cell| **cell > limit).count();
        Self { head, cells, left_out }
    }

    fn widest(&self) -> usize {
        self.head.max(self.cells.last().copied().unwrap_or(0))
    }

    fn width(&self) -> usize {
        let counted = self.cells.len() - self.left_out;
        self.head.max(counted.checked_sub(1).map_or(0, |last| self.cells[last]))
    }

    /// Without the widest that count by now.
    fn narrower(&self) -> usize {
        let width = self.width();
        self.cells.iter().filter(|cell| **cell >= width).count()
    }

    /// The head and half of the cells keep their place.
    fn can_shrink(&self) -> bool {
        self.width() > self.head && self.narrower() * 2 <= self.cells.len()
    }

    fn shrink(&mut self) {
        self.left_out = self.narrower();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(width: Option<usize>) -> String {
        let mut table =
            Table::new([("NAME", Align::Left), ("SIZE", Align::Right), ("NOTE", Align::Left)]);
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
    fn the_last_column_is_wrapped_and_on_a_narrow_terminal_the_cells_flow() {
        let want = "NAME   SIZE  NOTE\nhere\n日本  5 KiB  a note that is\n             rather long\n\
                    home  1 MiB\n";
        assert_eq!(printed(Some(32)), want);
        let want = "NAME  SIZE  NOTE\nhere\n日本  5 KiB\n    a note that is rather\n    long\nhome  \
                    1 MiB\n";
        assert_eq!(printed(Some(26)), want);
    }

    /// Ten snapshots, one of which has a long name and one a long note.
    fn ten(width: Option<usize>, in_short: bool) -> String {
        let heads = [("SNAPSHOT", Align::Left), ("SIZE", Align::Right), ("NOTE", Align::Left)];
        let mut table = Table::new(heads);
        if in_short {
            table = table.in_short();
        }
        for number in 0..10 {
            let name = if number == 3 { "n".repeat(200) } else { format!("web-{number}") };
            let note = if number == 5 { "word ".repeat(60) } else { "latest".into() };
            table.row([name, "1.5 MiB".into(), note].map(Span::plain));
        }
        let mut page = Page::new(width);
        table.print(&mut page);
        page.print(false)
    }

    #[test]
    fn a_long_name_or_note_costs_its_own_row_only() {
        for width in [40, 80, 200] {
            let text = ten(Some(width), true);
            assert!(text.lines().all(|line| text::width(line) <= width), "{text}");
            let lines = 1 + 10 + 200_usize.div_ceil(width) + 1;
            assert_eq!(text.lines().count(), lines, "{text}");
            assert!(text.contains("\nweb-4     1.5 MiB  latest\n"), "{text}");
        }
        let piped = ten(None, true);
        assert_eq!(piped.lines().count(), 11, "each row is one line: {piped}");
        assert!(piped.contains("\nweb-4     1.5 MiB  latest\n"), "{piped}");
        assert!(piped.contains(&format!("\n{}  1.5 MiB  latest\n", "n".repeat(200))), "{piped}");
        assert!(piped.contains(&"word ".repeat(59)), "nothing is cut in a pipe: {piped}");
        assert_eq!(ten(Some(80), false).lines().count(), 11 + 3 + 4, "wrapped");
    }
}
