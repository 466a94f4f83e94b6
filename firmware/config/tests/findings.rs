//! Broken configurations and everything that is said of them, at once.
//!
//! Each `findings/NAME.toml` has its findings in `findings/NAME.txt`, one a line: what an administrator would read. A rule that falls
//! silent, a place that slips or a cure that is lost shows as a difference.

fn hold(text: &str, expected: &str) {
    let found = config::parse(text).expect_err("findings").to_string();
    for (found, expected) in found.lines().zip(expected.lines()) {
        assert_eq!(found, expected);
    }
    assert_eq!(found.lines().count(), expected.lines().count(), "{found}");
}

#[test]
fn words_kinds_and_values() {
    hold(
        include_str!("findings/words.toml"),
        include_str!("findings/words.txt"),
    );
}

#[test]
fn settings_that_do_not_go_together() {
    hold(
        include_str!("findings/together.toml"),
        include_str!("findings/together.txt"),
    );
}

#[test]
fn media_that_cannot_be() {
    hold(
        include_str!("findings/media.toml"),
        include_str!("findings/media.txt"),
    );
}

#[test]
fn ports_of_an_appliance_that_cannot_work() {
    hold(
        include_str!("findings/interface.toml"),
        include_str!("findings/interface.txt"),
    );
}

#[test]
fn syntax_errors_do_not_hide_the_rest() {
    hold(
        include_str!("findings/syntax.toml"),
        include_str!("findings/syntax.txt"),
    );
}
