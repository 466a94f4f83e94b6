//! Packet ports: local UDP addresses that packets come from and leave by.
//!
//! A board may have one socket for each port, or none at all and cut the ports out of frames; the caller cannot tell.
//!
//! Not here: routes, neighbours, interfaces. A board that needs them has them.

use core::net::SocketAddr;
use core::num::NonZeroU8;

use embassy_time::Duration;

use crate::{Burst, Marks};

/// A port that is open. Small numbers, given again after a port is closed, so that tables can be flat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PortId(pub u32);

/// Differentiated services code point (RFC 2474), 0 to 63.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Dscp(u8);

impl Dscp {
    /// Best effort.
    pub const DEFAULT: Self = Self(0);
    /// Expedited forwarding, for voice (RFC 3246; MED-11).
    pub const EXPEDITED: Self = Self(46);

    /// The code point, if it is one.
    #[must_use]
    pub const fn new(value: u8) -> Option<Self> {
        if value < 64 { Some(Self(value)) } else { None }
    }

    /// The octet of the IP header, with the congestion bits clear.
    #[must_use]
    pub const fn traffic_class(self) -> u8 {
        self.0 << 2
    }
}

/// Why a port was not opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenError {
    /// Open already, here or in another program.
    AddressInUse,
    /// Not an address of this box, or one that needs rights we lack.
    AddressUnavailable,
    /// The box gives no more ports.
    OutOfPorts,
}

impl core::fmt::Display for OpenError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::AddressInUse => "address in use",
            Self::AddressUnavailable => "address not available",
            Self::OutOfPorts => "no more ports",
        })
    }
}

impl core::error::Error for OpenError {}

/// What it takes to receive a burst.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Receiving {
    /// Calls of the system, which take their time: what has been received is best sent on first.
    Calls,
    /// Looks at memory: the next burst may as well be known before this one is worked on.
    Looks,
}

/// The packet ports of a box.
pub trait Ports {
    /// What it takes to receive.
    const RECEIVING: Receiving = Receiving::Calls;

    /// Opens a local address, whose port is not zero. What arrived there before is not seen.
    ///
    /// # Errors
    /// [`OpenError`].
    fn open(&mut self, local: SocketAddr, dscp: Dscp) -> Result<PortId, OpenError>;

    /// Changes the code point of what leaves by a port.
    fn mark(&mut self, port: PortId, dscp: Dscp);

    /// Closes a port; what has arrived and was not taken is gone. Closing twice does nothing.
    fn close(&mut self, port: PortId);

    /// Fills what is vacant in the burst with packets that have arrived and says how many. Never waits. Zero means that there
    /// was nothing when last looked; only [`Self::wait`] looks again.
    fn rx_burst(&mut self, burst: &mut Burst) -> usize;

    /// Sends the packets marked to leave, each from its port to its remote, and gives those that were not taken: they are lost,
    /// never tried again. Never waits.
    fn tx_burst(&mut self, burst: &mut Burst) -> Marks;

    /// Looks for arrivals; waits for them at most so long, or without end. Comes back early whenever somebody wakes the ports.
    fn wait(&mut self, timeout: Option<Duration>);

    /// How many packets have been lost so far because nobody took those before them in time. A board that has to ask for each
    /// port asks for some at a call, so that what is told lags behind what is.
    fn overruns(&mut self) -> u64 {
        0
    }
}

/// The one of several threads on which a port is opened. An even port and the odd one above it are one stream's, so they go together.
#[must_use]
pub const fn home(port: u16, threads: NonZeroU8) -> u8 {
    (port / 2 % threads.get() as u16) as u8
}

/// Ports that can be handed to those of another thread, open as they are.
pub trait Handover: Ports {
    /// A port on its way.
    type Port: Send;

    /// Gives a port away; `None` if it is not open. What arrives until somebody takes it may wait or be lost, as the board can.
    fn give(&mut self, port: PortId) -> Option<Self::Port>;

    /// Takes a port that others of the same box have given. It is closed for good when it is closed here.
    ///
    /// # Errors
    /// [`OpenError::OutOfPorts`]; the port is closed then.
    fn take(&mut self, port: Self::Port) -> Result<PortId, OpenError>;
}
