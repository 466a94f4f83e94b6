//! What a bench prints: one JSON object a line, the same form for every bench.
//!
//! Smaller is better wherever a `ratio` stands: ours divided by the peer's.
//!
//! Not here: what is measured.

use std::collections::BTreeMap;

use serde::Serialize;

/// One case, with one figure of it.
#[derive(Debug, Serialize)]
pub(crate) struct Line {
    bench: &'static str,
    case: &'static str,
    value: f64,
    unit: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    peer: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    peer_value: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ratio: Option<f64>,
    /// What a case has beside.
    #[serde(flatten)]
    others: BTreeMap<&'static str, f64>,
}

impl Line {
    pub(crate) fn new(
        bench: &'static str,
        case: &'static str,
        value: f64,
        unit: &'static str,
    ) -> Self {
        Self {
            bench,
            case,
            value: to(1, value),
            unit,
            peer: None,
            peer_value: None,
            ratio: None,
            others: BTreeMap::new(),
        }
    }

    /// Beside what a peer needs for the same.
    #[must_use]
    pub(crate) fn beside(mut self, peer: &'static str, peer_value: f64, ratio: f64) -> Self {
        self.peer = Some(peer);
        self.peer_value = Some(to(1, peer_value));
        self.ratio = Some(to(3, ratio));
        self
    }

    /// With another figure, of so many digits.
    #[must_use]
    pub(crate) fn with(mut self, name: &'static str, digits: i32, value: f64) -> Self {
        self.others.insert(name, to(digits, value));
        self
    }

    pub(crate) fn print(&self) {
        println!(
            "{}",
            serde_json::to_string(self).expect("numbers and names")
        );
    }
}

fn to(digits: i32, value: f64) -> f64 {
    let scale = 10_f64.powi(digits);
    (value * scale).round() / scale
}

/// The middle of an odd number of values, the mean of the middle two of an even one.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 {
        sorted[middle]
    } else {
        (sorted[middle - 1] + sorted[middle]) / 2.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_names_its_peer_only_where_there_is_one() {
        let alone = Line::new("sip", "parse-invite", 640.04, "ns");
        assert_eq!(
            serde_json::to_string(&alone).expect("JSON"),
            r#"{"bench":"sip","case":"parse-invite","value":640.0,"unit":"ns"}"#
        );
        let beside = Line::new("sip", "b2bua-udp", 300.0, "us")
            .beside("kamailio", 400.0, 0.75)
            .with("loss", 2, 0.126);
        assert_eq!(
            serde_json::to_string(&beside).expect("JSON"),
            r#"{"bench":"sip","case":"b2bua-udp","value":300.0,"unit":"us","peer":"kamailio","peer_value":400.0,"ratio":0.75,"loss":0.13}"#
        );
    }

    #[test]
    fn the_median_is_the_middle() {
        assert!((median(&[3.0, 1.0, 2.0]) - 2.0).abs() < f64::EPSILON);
        assert!((median(&[4.0, 1.0, 2.0, 3.0]) - 2.5).abs() < f64::EPSILON);
    }
}
