//! A titled table that gives up rows, never columns, when there is no room.

use super::line::{Line, Look};

/// How far columns stand apart.
const GAP: usize = 2;

/// A table with its title row.
pub struct Table {
    /// Titles; the first column is aligned to the left, the others to the right.
    pub titles: Vec<&'static str>,
    /// The most important first.
    pub rows: Vec<Row>,
}

/// One row.
pub struct Row {
    /// How it looks.
    pub look: Look,
    /// One per title.
    pub cells: Vec<String>,
    /// Text after the last column.
    pub note: String,
}

impl Row {
    /// A row without a note.
    pub fn plain(cells: Vec<String>) -> Row {
        Row {
            look: Look::Plain,
            cells,
            note: String::new(),
        }
    }
}

impl Table {
    /// Lines that all rows take, with the title and the empty line before it.
    pub fn height(&self) -> usize {
        if self.rows.is_empty() {
            0
        } else {
            self.rows.len() + 2
        }
    }

    /// The least it can be shown in: title, a row, and how many more there are.
    pub fn height_min(&self) -> usize {
        self.height().min(4)
    }

    /// Its lines in at most `height`; nothing at all if that is too few.
    pub fn lines(&self, height: usize) -> Vec<Line> {
        if height < self.height_min() || self.rows.is_empty() {
            return Vec::new();
        }
        let room = height - 2;
        let shown = if self.rows.len() <= room {
            self.rows.len()
        } else {
            room - 1
        };
        let widths = self.widths();
        let mut lines = vec![Line::new()];
        let titles = self.titles.iter().map(|title| (*title).to_owned());
        lines.push(Line::of(
            Look::Bold,
            aligned(&titles.collect::<Vec<_>>(), &widths),
        ));
        for row in &self.rows[..shown] {
            let mut line = Line::of(row.look, aligned(&row.cells, &widths));
            if !row.note.is_empty() {
                line = line.with(row.look, format!("{:GAP$}{}", "", row.note));
            }
            lines.push(line);
        }
        if shown < self.rows.len() {
            let rest = format!("… {} more", self.rows.len() - shown);
            lines.push(Line::of(Look::Faint, rest));
        }
        lines
    }

    fn widths(&self) -> Vec<usize> {
        let width = |column: usize| {
            let cells = self
                .rows
                .iter()
                .map(|row| row.cells[column].chars().count());
            cells
                .chain([self.titles[column].chars().count()])
                .max()
                .unwrap_or(0)
        };
        (0..self.titles.len()).map(width).collect()
    }
}

fn aligned(cells: &[String], widths: &[usize]) -> String {
    let mut line = String::new();
    for (column, (cell, &width)) in cells.iter().zip(widths).enumerate() {
        if column == 0 {
            line.push_str(&format!("{cell:<width$}"));
        } else {
            line.push_str(&format!("{:GAP$}{cell:>width$}", ""));
        }
    }
    line
}
