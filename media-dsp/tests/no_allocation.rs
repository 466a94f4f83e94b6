//! Nothing is allocated for a packet: a counting allocator watches every path a packet takes through this crate.
//!
//! One test, so that no other thread of the harness allocates meanwhile; counts are kept for each thread besides.

use std::hint::black_box;

use media_dsp::codec::{FRAME, Law};
use media_dsp::quality::{Micros, Reception, Transmission};
use media_dsp::rtcp::{Builder, Compound, Ntp, translate};
use media_dsp::rtp::{Header, Packet, PacketMut};
use media_dsp::srtp::burst::{self, Job};
use media_dsp::srtp::{Keying, Limits, MasterKey, Receiver, Sender, Suite};
use media_dsp::stun;
use media_dsp::tone::{Generator, Region, Tone};

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

    for suite in Suite::ALL {
        let material = vec![3; suite.key_len() + suite.salt_len()];
        let keying = Keying::new(MasterKey::new(suite, &material).expect("the suite's length"));
        let mut sender = Sender::new(
            keying.clone(),
            Limits {
                sources: 4,
                window: 1_024,
            },
        );
        let mut receiver = Receiver::new(
            keying,
            Limits {
                sources: 4,
                window: 1_024,
            },
        );
        let mut buffer = [0; 256];
        let spent = allocations(|| {
            for step in 0..2_000_u16 {
                let header = Header {
                    marker: false,
                    payload_type: 8,
                    sequence: step.wrapping_add(65_000),
                    timestamp: 0,
                    ssrc: 1,
                };
                let length = header
                    .emit(&[0xd5; FRAME], &mut buffer)
                    .expect("there is room");
                let length = sender
                    .protect_rtp(&mut buffer, length)
                    .expect("a new index");
                assert!(
                    receiver.unprotect_rtp(&mut buffer[..length - 1]).is_err(),
                    "refusing costs nothing either"
                );
                let length = receiver
                    .unprotect_rtp(&mut buffer[..length])
                    .expect("authentic");
                let mut packet = PacketMut::parse(&mut buffer[..length]).expect("a packet");
                packet.set_header(Header { ssrc: 2, ..header });
            }
            let mut builder = Builder::new(&mut buffer);
            builder
                .receiver_report(1, &[])
                .and_then(|b| b.cname(1, b"postern"))
                .expect("there is room");
            let length = builder.finish();
            let length = sender
                .protect_rtcp(&mut buffer, length)
                .expect("a new index");
            let length = receiver
                .unprotect_rtcp(&mut buffer[..length])
                .expect("authentic");
            translate(&mut buffer[..length], &mut |ssrc: u32| !ssrc).expect("a compound");
            assert_eq!(
                Compound::parse(&buffer[..length])
                    .expect("a compound")
                    .packets()
                    .count(),
                2
            );
        });
        assert_eq!(spent, 0, "{suite}");

        let (mut senders, mut receivers) = ([sender], [receiver]);
        let spent = allocations(|| {
            for step in 2_000..2_500_u16 {
                let header = Header {
                    marker: false,
                    payload_type: 8,
                    sequence: step,
                    timestamp: 0,
                    ssrc: 1,
                };
                let length = header
                    .emit(&[0xd5; FRAME], &mut buffer)
                    .expect("there is room");
                let mut jobs = [Job::new(0, &mut buffer[..], length)];
                burst::protect(&mut senders[..], &mut jobs);
                let [Job { outcome, .. }] = jobs;
                let mut jobs = [Job::new(0, &mut buffer[..], outcome.expect("a new index"))];
                burst::unprotect(&mut receivers[..], &mut jobs);
                assert_eq!(jobs[0].outcome, Ok(length));
            }
        });
        assert_eq!(spent, 0, "{suite} in bursts");
    }

    let spent = allocations(|| {
        let mut tone = Generator::new(Tone::Ringback, Region::NorthAmerica, Law::Mu);
        let mut heard = Reception::new(8_000);
        let mut sent = Transmission::new(8_000);
        let mut frame = [0; FRAME];
        let mut packet = [0; 172];
        for step in 0..400_u16 {
            tone.frame(&mut frame);
            let header = Header {
                marker: false,
                payload_type: 0,
                sequence: step,
                timestamp: u32::from(step) * 160,
                ssrc: 9,
            };
            header.emit(&frame, &mut packet).expect("there is room");
            let view = Packet::parse(&packet).expect("a packet");
            heard.packet(&view.header(), Micros(u64::from(step) * 20_000));
            sent.packet(
                &view.header(),
                view.payload().len(),
                Micros(u64::from(step) * 20_000),
            );
        }
        black_box((
            heard.report(Micros(8_000_000)),
            sent.report(Micros(8_000_000), Ntp(0)),
        ));
        let mut out = [0; 128];
        let mut check =
            stun::Builder::binding(stun::Class::Request, stun::TransactionId([1; 12]), &mut out)
                .expect("there is room");
        check
            .username(b"a:b")
            .and_then(|b| b.integrity(b"secret"))
            .and_then(|b| b.fingerprint())
            .expect("there is room");
        let length = check.finish();
        let message = stun::Message::parse(&out[..length]).expect("a message");
        assert_eq!(message.integrity(b"secret"), stun::Check::Valid);
    });
    assert_eq!(spent, 0, "tones, reports and binding checks");
}
