//! Figures of one step and how they are told.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::target::Cost;

/// What one step measured.
#[derive(Debug, Clone, Serialize)]
pub struct Figures {
    /// The server's name.
    pub server: String,
    /// The step, as `lmtp-8`.
    pub step: String,
    /// Figures by name; the unit is in the name.
    pub values: BTreeMap<&'static str, f64>,
}

impl Figures {
    /// Without any figure yet.
    pub fn new(server: &str, step: impl Into<String>) -> Self {
        Self { server: server.to_owned(), step: step.into(), values: BTreeMap::new() }
    }

    /// Adds one figure.
    pub fn with(mut self, name: &'static str, value: f64) -> Self {
        self.values.insert(name, value);
        self
    }

    /// Adds what it cost for each of `items`.
    pub fn with_cost(mut self, cost: &Cost, items: usize) -> Self {
        let each = |total: f64| total / items.max(1) as f64;
        self.values.insert("cpu_ms_each", each(cost.cpu_ms));
        self.values.insert("written_kib_each", each(cost.written / 1024.0));
        self.values.insert("disk_kib_each", each(cost.disk_written / 1024.0));
        self.values.insert("disk_flushes_each", each(cost.flushes));
        if let Some(commits) = cost.commits {
            self.values.insert("commits_each", each(commits));
        }
        if let Some(statements) = cost.statements {
            self.values.insert("statements_each", each(statements));
        }
        self
    }

    /// Adds the median, the 99th percentile and the largest of `seconds`, in milliseconds.
    pub fn with_latencies(mut self, mut seconds: Vec<f64>) -> Self {
        seconds.sort_by(f64::total_cmp);
        let at = |share: f64| {
            let index = ((seconds.len() as f64 * share) as usize).min(seconds.len().saturating_sub(1));
            seconds.get(index).copied().unwrap_or(f64::NAN) * 1_000.0
        };
        self.values.insert("p50_ms", at(0.5));
        self.values.insert("p99_ms", at(0.99));
        self.values.insert("max_ms", at(1.0));
        self
    }
}

/// The middle of `values`, the mean of the two middle ones for an even count.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match (values.get(middle), values.len() % 2) {
        (Some(value), 1) => *value,
        (Some(value), _) => (value + values.get(middle.wrapping_sub(1)).unwrap_or(value)) / 2.0,
        (None, _) => f64::NAN,
    }
}

/// The figure that a step is judged by, and whether more of it is better.
pub fn headline(values: &BTreeMap<&'static str, f64>) -> Option<(&'static str, bool)> {
    const ORDER: [(&str, bool); 5] = [
        ("visible_per_s", true),
        ("per_s", true),
        ("seconds", false),
        ("ms_each", false),
        ("kib_each", false),
    ];
    ORDER.into_iter().find(|(name, _)| values.contains_key(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_count_is_between_the_middle_two() {
        assert_eq!(median(vec![4.0, 1.0, 3.0]), 3.0);
        assert_eq!(median(vec![4.0, 1.0, 3.0, 2.0]), 2.5);
        assert!(median(Vec::new()).is_nan());
    }
}
