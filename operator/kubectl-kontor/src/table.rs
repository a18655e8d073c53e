//! Columns for people.

use std::fmt::Write;

/// Rows with the same columns.
#[derive(Debug)]
pub struct Table {
    indent: &'static str,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// An empty one below a heading.
    pub fn new(indent: &'static str, columns: &[&str]) -> Self {
        Self { indent, rows: vec![columns.iter().map(|&name| name.to_owned()).collect()] }
    }

    /// Adds a row with a value for each column.
    pub fn row(&mut self, values: impl IntoIterator<Item = String>) {
        let values = values.into_iter().map(|value| if value.is_empty() { "-".to_owned() } else { value });
        self.rows.push(values.collect());
    }
}

impl std::fmt::Display for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let columns = self.rows.first().map_or(0, Vec::len);
        let width = |column: usize| {
            self.rows
                .iter()
                .filter_map(|row| row.get(column))
                .map(|cell| cell.chars().count())
                .max()
                .unwrap_or(0)
        };
        let widths: Vec<_> = (0..columns).map(width).collect();
        for row in &self.rows {
            let mut line = self.indent.to_owned();
            for (cell, width) in row.iter().zip(&widths) {
                let padding = width.saturating_sub(cell.chars().count()) + 2;
                write!(line, "{cell}{:padding$}", "")?;
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_below_each_other() {
        let mut table = Table::new("  ", &["POOL", "READY"]);
        table.row(["imap".to_owned(), "2/2".to_owned()]);
        table.row(["pöp3".to_owned(), String::new()]);
        assert_eq!(table.to_string(), "  POOL  READY\n  imap  2/2\n  pöp3  -\n");
    }
}
