//! What valgrind counts: instructions and allocations of this program's own `work`.
//!
//! Each figure is the difference between two lengths of the work: what start-up costs falls out, and each run of the same binary
//! gives the same figures, whatever else the machine does.
//!
//! Not here: the work.

use std::process::Command;

/// What is counted for one piece of work, from a short and a longer run of it.
pub(super) fn counted(case: &str, (few, many): (u32, u32), count: fn(&str, u32) -> u64) -> f64 {
    let difference = count(case, many) - count(case, few);
    difference as f64 / f64::from(many - few)
}

/// Instructions of the whole program.
pub(super) fn instructions(case: &str, times: u32) -> u64 {
    let said = valgrind(
        &["--tool=callgrind", "--callgrind-out-file=/dev/null"],
        case,
        times,
    );
    number_after(&said, "Collected :")
}

/// Instructions inside functions of this name, and what they call.
pub(super) fn instructions_in(function: &str, case: &str, times: u32) -> u64 {
    let toggle = format!("--toggle-collect=*{function}*");
    let tool = [
        "--tool=callgrind",
        "--callgrind-out-file=/dev/null",
        &toggle,
    ];
    number_after(&valgrind(&tool, case, times), "Collected :")
}

/// Allocations of the whole program.
pub(super) fn allocations(case: &str, times: u32) -> u64 {
    let said = valgrind(&["--tool=memcheck", "--undef-value-errors=no"], case, times);
    number_after(&said, "total heap usage:")
}

fn valgrind(tool: &[&str], case: &str, times: u32) -> String {
    let output = Command::new("valgrind")
        .args(tool)
        .arg(std::env::current_exe().expect("a program runs from a file"))
        .args(["work", case, &times.to_string()])
        .output()
        .expect("valgrind is installed (Debian: valgrind)");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "valgrind failed:\n{said}");
    said
}

fn number_after(said: &str, words: &str) -> u64 {
    said.lines()
        .find_map(|line| line.split_once(words))
        .and_then(|(_, rest)| {
            rest.split_whitespace()
                .next()?
                .replace(',', "")
                .parse()
                .ok()
        })
        .unwrap_or_else(|| panic!("valgrind does not say {words:?}:\n{said}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_valgrind_says_is_read() {
        let said = "==1== Collected : 2314\n==1==   total heap usage: 1,024 allocs, 3 frees";
        assert_eq!(number_after(said, "Collected :"), 2_314);
        assert_eq!(number_after(said, "total heap usage:"), 1_024);
    }
}
