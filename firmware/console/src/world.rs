//! What comes from outside: the time of the day, and chance.
//!
//! Not here: where they come from.

use std::fmt;
use std::io;

use store::Wall;

/// The time of the day and a source of randomness that nobody can guess.
pub struct World {
    wall: Box<dyn Fn() -> Wall + Send + Sync>,
    fill: Box<Fill>,
}

type Fill = dyn Fn(&mut [u8]) -> io::Result<()> + Send + Sync;

impl World {
    /// Made of a clock, and of what fills memory with random octets.
    pub fn new(
        wall: impl Fn() -> Wall + Send + Sync + 'static,
        fill: impl Fn(&mut [u8]) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        Self {
            wall: Box::new(wall),
            fill: Box::new(fill),
        }
    }

    pub(crate) fn now(&self) -> Wall {
        (self.wall)()
    }

    pub(crate) fn octets<const N: usize>(&self) -> io::Result<[u8; N]> {
        let mut octets = [0; N];
        (self.fill)(&mut octets)?;
        Ok(octets)
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("World")
    }
}
