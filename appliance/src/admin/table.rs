//! Answers: a table for people, JSON for programs.

use std::fmt::Write;

use serde_json::{Map, Value};

/// Rows with the same columns.
#[derive(Debug)]
pub struct Table {
    columns: Vec<&'static str>,
    rows: Vec<Vec<Value>>,
}

impl Table {
    /// An empty one. Columns are named as in JSON (`display_name`); people see `DISPLAY NAME`.
    pub fn new(columns: &[&'static str]) -> Self {
        Self { columns: columns.to_vec(), rows: Vec::new() }
    }

    /// Adds a row with a value for each column.
    pub fn row(&mut self, values: Vec<Value>) {
        self.rows.push(values);
    }

    /// Prints it. An empty one says `nothing` to people.
    pub fn print(&self, json: bool, nothing: &str) {
        if json {
            anstream::println!("{:#}", self.to_json());
        } else if self.rows.is_empty() {
            anstream::println!("{nothing}");
        } else {
            print!("{}", self.to_text());
        }
    }

    /// Prints the only row, one column a line.
    pub fn print_one(&self, json: bool) {
        if json {
            anstream::println!("{:#}", self.to_json().get(0).cloned().unwrap_or(Value::Null));
            return;
        }
        let width = self.columns.iter().map(|name| name.len()).max().unwrap_or(0);
        for (name, value) in self.columns.iter().zip(self.rows.first().into_iter().flatten()) {
            anstream::println!("{:width$}  {}", name.replace('_', " "), cell(name, value));
        }
    }

    fn to_json(&self) -> Value {
        let object = |row: &Vec<Value>| {
            let fields = self.columns.iter().zip(row);
            Value::Object(
                fields.map(|(name, value)| ((*name).to_owned(), value.clone())).collect::<Map<_, _>>(),
            )
        };
        Value::Array(self.rows.iter().map(object).collect())
    }

    fn to_text(&self) -> String {
        let mut lines = vec![self.columns.iter().map(|name| name.replace('_', " ").to_uppercase()).collect()];
        for row in &self.rows {
            lines.push(
                self.columns.iter().zip(row).map(|(name, value)| cell(name, value)).collect::<Vec<_>>(),
            );
        }
        let width = |column: usize| {
            lines
                .iter()
                .filter_map(|line| line.get(column))
                .map(|text| text.chars().count())
                .max()
                .unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.columns.len()).map(width).collect();
        let mut text = String::new();
        for line in &lines {
            let mut out = String::new();
            for (cell, width) in line.iter().zip(&widths) {
                let _ = write!(out, "{cell:width$}  ");
            }
            text.push_str(out.trim_end());
            text.push('\n');
        }
        text
    }
}

/// One value for people. Columns of octets and of times have telling names.
fn cell(column: &str, value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::String(text) if text.is_empty() => "-".to_owned(),
        // What somebody else wrote must not steer the terminal.
        Value::String(text) => text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect(),
        Value::Number(number) => match (column, number.as_i64()) {
            ("quota", Some(0)) => "none".to_owned(),
            ("quota" | "used" | "size", Some(octets)) => size(octets.unsigned_abs()),
            (_, Some(0)) if column.ends_with("_at") => "-".to_owned(),
            (_, Some(at)) if column.ends_with("_at") || column == "next_attempt" => moment(at),
            _ => number.to_string(),
        },
        Value::Array(list) if list.is_empty() => "-".to_owned(),
        Value::Array(list) => list.iter().map(|item| cell("", item)).collect::<Vec<_>>().join(", "),
        Value::Object(_) => value.to_string(),
    }
}

fn size(octets: u64) -> String {
    let mut units = ["B", "KiB", "MiB", "GiB", "TiB"].iter();
    let (mut value, mut unit) = (octets as f64, units.next());
    while value >= 1024.0
        && let Some(next) = units.next()
    {
        value /= 1024.0;
        unit = Some(next);
    }
    let unit = unit.unwrap_or(&"B");
    if *unit == "B" || value >= 100.0 { format!("{value:.0} {unit}") } else { format!("{value:.1} {unit}") }
}

/// In UTC, to the second.
pub fn moment(unix: i64) -> String {
    match time::OffsetDateTime::from_unix_timestamp(unix) {
        Ok(at) => format!(
            "{:04}-{:02}-{:02} {:02}:{:02}:{:02}Z",
            at.year(),
            u8::from(at.month()),
            at.day(),
            at.hour(),
            at.minute(),
            at.second()
        ),
        Err(_) => unix.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn people_and_programs() {
        let mut table = Table::new(&["address", "quota", "used", "aliases"]);
        table.row(vec![json!("änn@x.org"), json!(0), json!(1536), json!([])]);
        table.row(vec![json!("b@x.org"), json!(1u64 << 30), json!(5), json!(["c@x", "d\u{1b}@x"])]);
        assert_eq!(
            table.to_text(),
            "ADDRESS    QUOTA    USED     ALIASES\n\
             änn@x.org  none     1.5 KiB  -\n\
             b@x.org    1.0 GiB  5 B      c@x, d @x\n"
        );
        assert_eq!(table.to_json()[1]["quota"], json!(1u64 << 30));
    }

    #[test]
    fn moments() {
        assert_eq!(moment(0), "1970-01-01 00:00:00Z");
        assert_eq!(moment(1_800_000_000), "2027-01-15 08:00:00Z");
    }
}
