//! The program `postern`: reads its arguments and becomes one of its processes, or answers a question.
//!
//! All that it can do is in the library beside it.
//!
//! Not here: anything worth testing.
#![forbid(unsafe_code)]

fn main() {}
