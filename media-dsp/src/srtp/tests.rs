//! Tests of both directions together.
