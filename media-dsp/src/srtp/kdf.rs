//! Filled in with the transforms.
