//! Our side: senders and receivers, and a pass over all of them.
//!
//! Not here: what is done with the figures.

use std::time::Instant;

use media_dsp::rtp::Header;
use media_dsp::srtp::burst::{self, Job, MOST};
use media_dsp::srtp::{Keying, Limits, MasterKey, Receiver, Sender, Suite};

use super::{Operation, STREAMS};

const PLAIN: usize = 172;

/// As the pipeline has it: a packet with room behind.
#[repr(align(64))]
#[derive(Clone)]
struct Room {
    bytes: [u8; 256],
    length: usize,
}

/// All streams, with a packet of each.
pub(super) struct Streams {
    operation: Operation,
    senders: Vec<Sender>,
    receivers: Vec<Receiver>,
    rooms: Vec<Room>,
    sequence: u16,
}

/// The suite of this name, in whatever case it is written.
pub(super) fn suite(name: &str) -> Option<Suite> {
    Suite::from_name(name)
}

/// The nanoseconds a packet took.
fn timed(pass: impl FnOnce()) -> f64 {
    let began = Instant::now();
    pass();
    began.elapsed().as_nanos() as f64 / STREAMS as f64
}

impl Streams {
    pub(super) fn new(name: &str, operation: Operation) -> Self {
        let suite = suite(name).expect("a suite of ours");
        // As the pipeline sets its streams up.
        let (sent, heard) = (
            Limits {
                sources: 1,
                window: 128,
            },
            Limits {
                sources: 8,
                window: 128,
            },
        );
        let keying = |number: usize| {
            let material: Vec<u8> = (0..suite.key_len() + suite.salt_len())
                .map(|byte| (number * 7 + byte * 13) as u8)
                .collect();
            Keying::new(MasterKey::new(suite, &material).expect("the suite's length"))
        };
        let mut streams = Self {
            operation,
            senders: (0..STREAMS)
                .map(|number| Sender::new(keying(number), sent))
                .collect(),
            receivers: (0..STREAMS)
                .map(|number| Receiver::new(keying(number), heard))
                .collect(),
            rooms: vec![
                Room {
                    bytes: [0; 256],
                    length: 0
                };
                STREAMS
            ],
            sequence: 1,
        };
        // Every source is known before anything is measured.
        streams.fill();
        streams.protect();
        streams.unprotect();
        streams
    }

    /// Passes over all streams so many times; gives for each the nanoseconds a packet took.
    pub(super) fn passes(&mut self, count: usize) -> Vec<f64> {
        match self.operation {
            Operation::Protect => (0..count)
                .map(|_| {
                    self.fill();
                    timed(|| self.protect())
                })
                .collect(),
            Operation::Unprotect => {
                // Made before, so that making them does not drive the receivers' keys out of the caches.
                let protected: Vec<Vec<Room>> = (0..count)
                    .map(|_| {
                        self.fill();
                        self.protect();
                        self.rooms.clone()
                    })
                    .collect();
                protected
                    .into_iter()
                    .map(|rooms| {
                        self.rooms.clone_from_slice(&rooms);
                        timed(|| self.unprotect())
                    })
                    .collect()
            }
        }
    }

    fn fill(&mut self) {
        self.sequence = self.sequence.wrapping_add(1);
        for (number, room) in self.rooms.iter_mut().enumerate() {
            let header = Header {
                marker: false,
                payload_type: 8,
                sequence: self.sequence,
                timestamp: u32::from(self.sequence) * 160,
                ssrc: number as u32,
            };
            let payload = [0xd5 ^ number as u8; PLAIN - 12];
            room.length = header
                .emit(&payload, &mut room.bytes)
                .expect("there is room");
        }
    }

    fn protect(&mut self) {
        for (at, rooms) in self.rooms.chunks_mut(MOST).enumerate() {
            let mut jobs: Vec<_> = rooms
                .iter_mut()
                .enumerate()
                .map(|(place, room)| Job::new(at * MOST + place, &mut room.bytes[..], room.length))
                .collect();
            burst::protect(&mut self.senders[..], &mut jobs);
            let lengths: [usize; MOST] = std::array::from_fn(|place| {
                jobs.get(place)
                    .map_or(0, |job| job.outcome.expect("a new index"))
            });
            for (room, length) in rooms.iter_mut().zip(lengths) {
                room.length = length;
            }
        }
    }

    fn unprotect(&mut self) {
        for (at, rooms) in self.rooms.chunks_mut(MOST).enumerate() {
            let mut jobs: Vec<_> = rooms
                .iter_mut()
                .enumerate()
                .map(|(place, room)| Job::new(at * MOST + place, &mut room.bytes[..], room.length))
                .collect();
            burst::unprotect(&mut self.receivers[..], &mut jobs);
            assert!(
                jobs.iter().all(|job| job.outcome == Ok(PLAIN)),
                "all are authentic"
            );
        }
    }
}
