//! A stream goes from one worker to another, as it is: keys, replay windows, sequence numbers and statistics go along.
//!
//! Two streams can be linked only where they are together, so one of them goes where the other is. Its link stays behind; a
//! handshake under way goes along, and what comes of it is for whoever has the stream then.
//!
//! Not here: when a stream goes and where (the process that runs the workers).

use alloc::boxed::Box;

use embassy_time::Instant;
use hal::{Handover, OpenError};
use media_api::{Event, StreamId};

use crate::flow::Stream;
use crate::relay::Pipeline;

/// A stream on its way, with its ports.
pub struct Parcel<P> {
    stream: Box<Stream>,
    rtp: P,
    rtcp: Option<P>,
}

impl<P> Parcel<P> {
    /// Which it is.
    #[must_use]
    pub fn id(&self) -> StreamId {
        self.stream.id()
    }
}

impl<P> core::fmt::Debug for Parcel<P> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_tuple("Parcel").field(&self.id()).finish()
    }
}

impl Pipeline {
    /// Whether a stream is here.
    #[must_use]
    pub fn holds(&self, id: StreamId) -> bool {
        self.table.find(id).is_some()
    }

    /// Gives a stream away; `None` if it is not here.
    pub fn give<P: Handover>(&mut self, id: StreamId, ports: &mut P) -> Option<Parcel<P::Port>> {
        let slot = self.table.find(id)?;
        let stream = self.table.stream(slot)?;
        let (rtp, rtcp) = (stream.rtp_port, stream.rtcp_port);
        let rtp = ports.give(rtp)?;
        let rtcp = rtcp.and_then(|rtcp| ports.give(rtcp));
        let stream = self.table.remove(id)?;
        self.count_streams();
        Some(Parcel { stream, rtp, rtcp })
    }

    /// Takes a stream in. Where that cannot be, it is gone, and control is told.
    pub fn take<P: Handover>(&mut self, now: Instant, parcel: Parcel<P::Port>, ports: &mut P) {
        let id = parcel.id();
        let Parcel {
            mut stream,
            rtp,
            rtcp,
        } = parcel;
        let taken = ports.take(rtp).and_then(|rtp| match rtcp {
            None => Ok((rtp, None)),
            Some(rtcp) => match ports.take(rtcp) {
                Ok(rtcp) => Ok((rtp, Some(rtcp))),
                Err(error) => {
                    ports.close(rtp);
                    Err::<_, OpenError>(error)
                }
            },
        });
        match taken {
            Ok((rtp, rtcp)) => {
                (stream.rtp_port, stream.rtcp_port) = (rtp, rtcp);
                let slot = self.table.insert(stream);
                self.look_after_by(slot, now);
                self.count_streams();
            }
            Err(_) => {
                self.handshakes.changed(stream.dtls, None);
                let statistics = Box::new(stream.statistics());
                self.outbox.answer(Event::Removed { id, statistics });
            }
        }
    }
}
