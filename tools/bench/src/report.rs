//! The lines that a bench prints, and medians.
//!
//! One JSON object a line, so that a run can be kept and compared with any tool.

use serde_json::json;

/// The value in the middle.
pub(crate) fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => values[n / 2],
        n => f64::midpoint(values[n / 2 - 1], values[n / 2]),
    }
}

/// A case without a peer.
pub(crate) fn line(case: &str, value: f64, unit: &str) {
    println!(
        "{}",
        json!({ "bench": "sip", "case": case, "value": round(value), "unit": unit })
    );
}

/// A case with a peer that ran beside us.
pub(crate) fn beside(case: &str, value: f64, unit: &str, peer: &str, peer_value: f64) {
    let ratio = round(value / peer_value);
    let (value, peer_value) = (round(value), round(peer_value));
    println!(
        "{}",
        json!({
            "bench": "sip", "case": case, "value": value, "unit": unit,
            "peer": peer, "peer_value": peer_value, "ratio": ratio,
        })
    );
}

fn round(value: f64) -> f64 {
    (value * 1_000.0).round() / 1_000.0
}
