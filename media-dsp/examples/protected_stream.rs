//! One second of ringback, sent as SRTP and received again: what a media leg does for each packet.
//!
//! `cargo run -p media-dsp --example protected_stream`

use std::error::Error;

use media_dsp::codec::{FRAME, Law};
use media_dsp::quality::{Micros, Reception};
use media_dsp::rtp::{Header, Packet};
use media_dsp::srtp::{Keying, Limits, MasterKey, Receiver, Sender, Suite};
use media_dsp::tone::{Generator, Region, Tone};

fn main() -> Result<(), Box<dyn Error>> {
    // In a call both come out of an `a=crypto` line.
    let suite = Suite::AesCm128HmacSha1_80;
    let master = MasterKey::new(suite, b"a key of sixteen and a salt 14")?;
    let mut sender = Sender::new(Keying::new(master.clone()), Limits::default());
    let mut receiver = Receiver::new(Keying::new(master), Limits::default());

    let mut ringback = Generator::new(Tone::Ringback, Region::Europe, Law::A);
    let mut heard = Reception::new(8_000);
    let mut buffer = [0; 256];
    let mut frame = [0; FRAME];

    // The sequence starts so high that the roll-over counter has to step.
    let mut header = Header {
        marker: true,
        payload_type: 8,
        sequence: 65_500,
        timestamp: 0,
        ssrc: 0x1234_5678,
    };
    for step in 0..50 {
        ringback.frame(&mut frame);
        let plain = header.emit(&frame, &mut buffer)?;
        let protected = sender.protect_rtp(&mut buffer, plain)?;

        // Here the network would be. Every tenth packet is lost, every tenth comes twice.
        if step % 10 != 3 {
            let mut copy = buffer;
            let length = receiver.unprotect_rtp(&mut buffer[..protected])?;
            let packet = Packet::parse(&buffer[..length])?;
            assert_eq!(packet.payload(), frame);
            heard.packet(&packet.header(), Micros(step * 20_000));
            if step % 10 == 7 {
                let again = receiver.unprotect_rtp(&mut copy[..protected]);
                match again {
                    Ok(_) => println!("packet {step} again: accepted"),
                    Err(reason) => println!("packet {step} again: {reason}"),
                }
            }
        }
        header.sequence = header.sequence.wrapping_add(1);
        header.timestamp += 160;
        header.marker = false;
    }

    let summary = heard.summary();
    let state = receiver.snapshot();
    println!(
        "{suite}: {} of {} packets, {} lost",
        summary.received,
        summary.expected,
        summary.lost()
    );
    println!(
        "roll-over counter {}",
        state.sources[0].rtp.highest.unwrap_or(0) >> 16
    );
    Ok(())
}
