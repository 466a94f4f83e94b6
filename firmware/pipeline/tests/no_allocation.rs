//! A packet costs no memory: an allocator that counts watches bursts of every kind pass through the pipeline.
//!
//! The bursts are made by hand, so that nothing but the pipeline works while it counts. Counts are kept for each thread.
//!
//! Not here: what becomes of the packets (`calls.rs`, `hostile.rs`); the ports' own buffers.

mod kit;

use std::hint::black_box;

use board::sim::{Network, Ports, Weather};
use embassy_time::Duration;
use hal::{Burst, Marks, PortId, UnixTime};
use kit::{Party, key, keyed, plain};
use measure::{DropReason, MediaCounter};
use media_api::{Command, StreamId, Tone};
use media_dsp::rtcp::{Builder, ReportBlock, SenderInfo};
use pipeline::{Moment, Pipeline};

fn allocations(work: impl FnOnce()) -> u64 {
    allocation_counter::measure(work).count_total
}

#[test]
fn a_packet_costs_no_allocation() {
    assert_ne!(
        allocations(|| drop(black_box(vec![1_u8; 10]))),
        0,
        "the allocator counts"
    );

    let network = Network::new(1, Weather::FAIR);
    let mut ports = Ports::new(&network);
    let mut pipeline = Pipeline::new(10, [1; 32]);
    let mut carrier = Party::new(&network, "192.0.2.1:4000", 1);
    let mut teams = Party::keyed(&network, "198.51.100.1:50000", 2, &key(1), &key(2));
    let moment = |frame: u32| Moment {
        now: network.now() + Duration::from_millis(20) * frame,
        wall: UnixTime {
            seconds: 1_800_000_000,
            nanoseconds: 0,
        },
    };
    // The ports of stream 1 are 0 and 1, that of stream 2 is 2.
    for command in [
        Command::Put(plain(1, &carrier)),
        Command::Put(keyed(2, &teams, &key(1), &key(2))),
        Command::Link {
            a: StreamId(1),
            b: StreamId(2),
        },
    ] {
        pipeline.command(moment(0), command, 1, &mut ports);
    }
    while pipeline.poll().is_some() {}

    let mut report = vec![0; 200];
    let mut builder = Builder::new(&mut report);
    builder
        .sender_report(1, &SenderInfo::default(), &[ReportBlock::default()])
        .expect("it fits");
    let length = builder.finish();
    report.truncate(length);

    let (mut burst, next) = (Box::new(Burst::new()), Box::new(Burst::new()));
    for frame in 0..2_000 {
        burst.clear();
        let packets = [
            (PortId(0), carrier.address(), carrier.packet(&[1; 160])),
            (PortId(2), teams.address(), teams.packet(&[2; 160])),
            (PortId(2), carrier.address(), teams.packet(&[3; 160])),
            (PortId(2), teams.address(), vec![0x80; 172]),
            (PortId(0), teams.address(), vec![0x80; 172]),
            (PortId(1), carrier.address(), report.clone()),
            (PortId(0), carrier.address(), vec![0; 20]),
            (PortId(7), carrier.address(), vec![0; 20]),
        ];
        for (packet, (port, from, bytes)) in burst.vacant().iter_mut().zip(&packets) {
            packet.buffer_mut()[..bytes.len()].copy_from_slice(bytes);
            packet.arrived(*port, *from, bytes.len());
        }
        burst.fill(packets.len());
        let now = moment(frame);
        let counted = allocations(|| {
            pipeline.burst(now, &mut burst, &next);
            pipeline.sent(&burst, Marks::NONE);
        });
        assert_eq!(counted, 0, "frame {frame}");
        while pipeline.poll().is_some() {}
    }
    let totals = pipeline.totals();
    assert!(totals.counter(MediaCounter::PacketsRelayed) >= 4_000);
    assert!(totals.counter(MediaCounter::RtcpRelayed) >= 1_000);
    for reason in [
        DropReason::Unauthenticated,
        DropReason::ForeignSource,
        DropReason::UnexpectedStun,
        DropReason::UnknownPort,
    ] {
        assert_eq!(totals.dropped(reason), 2_000, "{reason}");
    }

    // A tone and reports of our own; the simulated ports allocate what they send, so nothing is sent to anybody.
    pipeline.command(
        moment(2_000),
        Command::Tone {
            stream: StreamId(2),
            tone: Some(Tone::Ringback),
        },
        1,
        &mut ports,
    );
    ports = Ports::new(&network);
    let counted = allocations(|| {
        for frame in 2_000..4_000 {
            pipeline.tick(moment(frame), &mut ports);
        }
    });
    assert_eq!(counted, 0, "tones and reports");
    assert!(pipeline.totals().counter(MediaCounter::ToneFrames) >= 1_900);
}
