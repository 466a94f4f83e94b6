//! How much a peer may send: the bounds of everything that the network fills.
//!
//! INV-24: a message of 64 KiB, a URI of 1 KiB and a Referred-By of 400 bytes must pass; these bounds lie above them.
//! Framing and parsing hold to the same numbers, so that what a framer lets through a parser can hold.
//!
//! Not here: how many messages a second (the transaction layer), how long one may take (the shell).

/// Longest message, start line to last byte of the body. No UDP datagram is longer.
pub const MESSAGE_BYTES: usize = 65_536;

/// Longest start line or header line, its folds included.
pub const LINE_BYTES: usize = 16_384;

/// Longest URI that is taken apart. A longer Request-URI is answered 414.
pub const URI_BYTES: usize = 8_192;

/// Most header lines in a message.
pub const HEADERS: usize = 256;

/// Most values in one comma list, all lines of that name together.
pub const LIST_VALUES: usize = 128;

/// Most parameters of one value or URI.
pub const PARAMS: usize = 64;
