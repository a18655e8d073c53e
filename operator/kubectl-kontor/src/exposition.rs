//! Reads the text that `/metrics` answers with (Prometheus text exposition format 0.0.4), as far as this program needs
//! it: the samples of one metric.

/// A sample.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Labels, as they come.
    pub labels: Vec<(String, String)>,
    /// The value.
    pub value: f64,
}

impl Sample {
    /// The value of a label.
    pub fn label(&self, name: &str) -> Option<&str> {
        self.labels.iter().find(|(label, _)| label == name).map(|(_, value)| value.as_str())
    }
}

/// The samples of a metric. Lines that are none are passed over.
pub fn samples(text: &str, metric: &str) -> Vec<Sample> {
    text.lines().filter_map(|line| sample(line.strip_prefix(metric)?)).collect()
}

fn sample(rest: &str) -> Option<Sample> {
    let (labels, rest) = match rest.strip_prefix('{') {
        Some(rest) => labels(rest)?,
        // Another metric whose name begins alike.
        None if !rest.starts_with(' ') => return None,
        None => (Vec::new(), rest),
    };
    let value = rest.split_ascii_whitespace().next()?.parse().ok()?;
    Some(Sample { labels, value })
}

fn labels(mut rest: &str) -> Option<(Vec<(String, String)>, &str)> {
    let mut labels = Vec::new();
    loop {
        rest = rest.trim_start_matches([',', ' ']);
        if let Some(rest) = rest.strip_prefix('}') {
            return Some((labels, rest));
        }
        let (name, after) = rest.split_once("=\"")?;
        let mut value = String::new();
        let mut chars = after.char_indices();
        let end = loop {
            match chars.next()? {
                (at, '"') => break at,
                (_, '\\') => value.push(match chars.next()?.1 {
                    'n' => '\n',
                    other => other,
                }),
                (_, other) => value.push(other),
            }
        };
        labels.push((name.to_owned(), value));
        rest = after.get(end + 1..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_metric_itself_counts() {
        let text = "# TYPE kontor_connections_open gauge\n\
            kontor_connections_open{protocol=\"imap\"} 12\n\
            kontor_connections_open{protocol=\"im\\\"a\\\\p\\n\",other=\"x\"} 3.5 1700000000\n\
            kontor_connections_open_total 9\n\
            kontor_connections_total{protocol=\"imap\"} 40\n\
            kontor_connections_open 1e2\n\
            kontor_connections_open{protocol=\"cut";
        let found = samples(text, "kontor_connections_open");
        assert_eq!(found.iter().map(|sample| sample.value).collect::<Vec<_>>(), [12.0, 3.5, 100.0]);
        assert_eq!(found[0].label("protocol"), Some("imap"));
        assert_eq!(found[1].label("protocol"), Some("im\"a\\p\n"));
        assert_eq!(found[1].label("other"), Some("x"));
        assert_eq!(found[2].label("protocol"), None);
    }
}
