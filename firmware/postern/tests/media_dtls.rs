//! Streams that are keyed by a handshake, with a party of another make: OpenSSL shakes hands, webrtc-srtp speaks.
//!
//! Not here: what SDP says of it (`call/tests/dtls.rs`), which datagrams are let in (`pipeline/tests/dtls.rs`).

mod media_kit;

use std::io::{self, Read, Write};
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use measure::{DropReason, Insecurity, MediaCounter};
use media_api::{
    Command, Dtls, Event, Fingerprint, Handshake, Rtcp, SourceGate, StreamId, StreamSpec,
};
use media_kit::*;
use openssl::asn1::Asn1Time;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::ssl::{Ssl, SslContext, SslMethod, SslOptions, SslStream, SslVerifyMode};
use openssl::x509::X509;
use webrtc_srtp::context::Context;
use webrtc_srtp::protection_profile::ProtectionProfile;

/// A certificate as browsers make theirs.
struct Certificate {
    key: PKey<Private>,
    certificate: X509,
}

impl Certificate {
    fn new() -> Self {
        let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).expect("it is known");
        let key = EcKey::generate(&group).and_then(PKey::from_ec_key);
        let key = key.expect("a key can be made");
        let certificate = || {
            let mut builder = X509::builder()?;
            builder.set_version(2)?;
            builder.set_pubkey(&key)?;
            builder.set_not_before(&*Asn1Time::days_from_now(0)?)?;
            builder.set_not_after(&*Asn1Time::days_from_now(1)?)?;
            builder.sign(&key, MessageDigest::sha256())?;
            Ok::<X509, openssl::error::ErrorStack>(builder.build())
        };
        let certificate = certificate().expect("a certificate can be made");
        Self { key, certificate }
    }

    fn fingerprint(&self) -> Fingerprint {
        fingerprint(&self.certificate)
    }
}

fn fingerprint(certificate: &X509) -> Fingerprint {
    let digest = certificate.digest(MessageDigest::sha256());
    let digest = digest.expect("SHA-256 is known");
    Fingerprint((*digest).try_into().expect("it has 32 octets"))
}

/// DTLS over a socket, one datagram a write; media between is passed over.
struct Wire<'s> {
    socket: &'s UdpSocket,
    to: SocketAddr,
}

impl Read for Wire<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let length = self.socket.recv(buffer)?;
            if (20..64).contains(&buffer[0]) {
                return Ok(length);
            }
        }
    }
}

impl Write for Wire<'_> {
    fn write(&mut self, datagram: &[u8]) -> io::Result<usize> {
        self.socket.send_to(datagram, self.to)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What a handshake gives the party: contexts for what it sends and what it hears, and whom it has met.
struct Met {
    sends: Context,
    expects: Context,
    fingerprint: Fingerprint,
}

/// The party's end of a handshake.
fn shake_hands(
    socket: &UdpSocket,
    to: SocketAddr,
    certificate: &Certificate,
    ours: Handshake,
) -> Result<Met, openssl::ssl::Error> {
    let context = || {
        let mut context = SslContext::builder(SslMethod::dtls())?;
        context.set_tlsext_use_srtp("SRTP_AES128_CM_SHA1_80")?;
        context.set_private_key(&certificate.key)?;
        context.set_certificate(&certificate.certificate)?;
        // Certificates are known by their fingerprints.
        let asks = SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT;
        context.set_verify_callback(asks, |_, _| true);
        context.set_options(SslOptions::NO_DTLSV1);
        let mut ssl = Ssl::new(&context.build())?;
        ssl.set_mtu(1_200)?;
        Ok::<Ssl, openssl::error::ErrorStack>(ssl)
    };
    let ssl = context().expect("the settings are good");
    let mut stream = SslStream::new(ssl, Wire { socket, to }).expect("there is memory");
    // The names are of the box's part.
    match ours {
        Handshake::Passive => stream.connect()?,
        Handshake::Active => stream.accept()?,
    }
    let profile = stream
        .ssl()
        .selected_srtp_profile()
        .map(|it| it.name().to_owned());
    assert_eq!(profile.as_deref(), Some("SRTP_AES128_CM_SHA1_80"));
    let mut material = [0; 60];
    stream
        .ssl()
        .export_keying_material(&mut material, "EXTRACTOR-dtls_srtp", None)
        .expect("the handshake is done");
    let shown = stream.ssl().peer_certificate().expect("it has shown one");
    // RFC 5764 §4.2
    let context = |key: usize, salt: usize| {
        let profile = ProtectionProfile::Aes128CmHmacSha1_80;
        let (key, salt) = (&material[key..key + 16], &material[salt..salt + 14]);
        Context::new(key, salt, profile, None, None).expect("good key lengths")
    };
    let (client, server) = (context(0, 32), context(16, 46));
    let (sends, expects) = match ours {
        Handshake::Passive => (client, server),
        Handshake::Active => (server, client),
    };
    Ok(Met {
        sends,
        expects,
        fingerprint: fingerprint(&shown),
    })
}

/// A call between a plain party and one that is keyed by a handshake.
struct Shaken {
    carrier: UdpSocket,
    carrier_stream: StreamSpec,
    browser: UdpSocket,
    stream: StreamSpec,
}

impl Shaken {
    fn new(control: &mut Control, handshake: Handshake, party: Fingerprint) -> Self {
        let (carrier, browser) = (media_kit::party(), media_kit::party());
        let carrier_stream = spec(1, LOOPBACK, &carrier);
        let stream = StreamSpec {
            rtcp: Rtcp::Muxed,
            source: SourceGate::LatchAuthenticated,
            dtls: Some(Box::new(Dtls { handshake, party })),
            ..spec(2, LOOPBACK, &browser)
        };
        control.put(&carrier_stream);
        control.put(&stream);
        control.say(&Command::Link {
            a: StreamId(1),
            b: StreamId(2),
        });
        control.streams();
        Self {
            carrier,
            carrier_stream,
            browser,
            stream,
        }
    }

    /// One frame each way, heard on the other side.
    fn frame(&self, met: &mut Met, number: u16) {
        self.carrier
            .send_to(&rtp(7, number), self.carrier_stream.local)
            .expect("loopback takes it");
        let heard = loop {
            let heard = hear(&self.browser, self.stream.local);
            // The box may begin another handshake meanwhile.
            if heard[0] >= 128 {
                break heard;
            }
        };
        let heard = met.expects.decrypt_rtp(&heard);
        assert_eq!(heard.expect("it authenticates")[12..], [number as u8; 160]);
        let protected = met.sends.encrypt_rtp(&rtp(9, number));
        self.browser
            .send_to(&protected.expect("it can be protected"), self.stream.local)
            .expect("loopback takes it");
        let heard = hear(&self.carrier, self.carrier_stream.local);
        assert_eq!(heard[12..], [number as u8; 160]);
    }
}

fn secured(control: &mut Control) {
    control.wait_for(|event| matches!(event, Event::Secured { id: StreamId(2) }).then_some(()));
}

#[test]
fn a_handshake_keys_both_ways_whoever_begins_it() {
    for handshake in [Handshake::Passive, Handshake::Active] {
        let media = Media::start(&format!("dtls-{handshake:?}"));
        let mut control = media.control();
        let certificate = Certificate::new();
        let call = Shaken::new(&mut control, handshake, certificate.fingerprint());
        let met = shake_hands(&call.browser, call.stream.local, &certificate, handshake);
        let mut met = met.expect("they agree");
        assert_eq!(
            Some(met.fingerprint),
            control.certificate,
            "it shows what it says"
        );
        secured(&mut control);
        for number in 0..20 {
            call.frame(&mut met, number);
        }
        // Said again, nothing begins anew.
        control.put(&call.stream);
        for number in 20..40 {
            call.frame(&mut met, number);
        }
        // A transfer to a party with another certificate: the keys before hold until there are others.
        let other = Certificate::new();
        let party = other.fingerprint();
        control.put(&StreamSpec {
            dtls: Some(Box::new(Dtls { handshake, party })),
            ..call.stream.clone()
        });
        call.frame(&mut met, 40);
        let met = shake_hands(&call.browser, call.stream.local, &other, handshake);
        let mut met = met.expect("they agree");
        secured(&mut control);
        for number in 41..60 {
            call.frame(&mut met, number);
        }
    }
}

#[test]
fn who_shows_another_certificate_gets_no_keys_and_is_not_heard() {
    for handshake in [Handshake::Passive, Handshake::Active] {
        let media = Media::start(&format!("dtls-wrong-{handshake:?}"));
        let mut control = media.control();
        let said = Certificate::new().fingerprint();
        let call = Shaken::new(&mut control, handshake, said);
        let stranger = Certificate::new();
        let timeout = Some(Duration::from_millis(500));
        let browser = call.browser.try_clone().expect("it can be shared");
        browser.set_read_timeout(timeout).expect("it has timeouts");
        let met = shake_hands(&browser, call.stream.local, &stranger, handshake);
        let reason = control.wait_for(|event| match event {
            Event::Insecure { reason, .. } => Some(*reason),
            Event::Secured { .. } => panic!("it has keys"),
            _ => None,
        });
        assert_eq!(reason, Insecurity::WrongCertificate);
        // Its own end may think that all is well; what it says is not heard, and nothing is said to it.
        if let Ok(mut met) = met {
            let protected = met.sends.encrypt_rtp(&rtp(9, 1)).expect("it can be");
            browser
                .send_to(&protected, call.stream.local)
                .expect("loopback takes it");
        }
        browser
            .send_to(&rtp(9, 2), call.stream.local)
            .expect("loopback takes it");
        call.carrier
            .send_to(&rtp(7, 1), call.carrier_stream.local)
            .expect("loopback takes it");
        control.say(&Command::Statistics(StreamId(2)));
        let heard = control.wait_for(|event| match event {
            Event::Statistics { statistics, .. } => Some(statistics.received.packets),
            _ => None,
        });
        assert_eq!(heard, 0);
        std::thread::sleep(Duration::from_millis(300));
        let mut buffer = [0; 2_048];
        while let Ok(length) = browser.recv(&mut buffer) {
            assert!(
                length > 0 && buffer[0] < 128,
                "no media, but the handshake's own"
            );
        }
        media.counters(|page| {
            assert_eq!(page.counter(MediaCounter::CertificatesRefused), 1);
            assert_eq!(page.counter(MediaCounter::HandshakesFailed), 1);
            assert_eq!(page.counter(MediaCounter::HandshakesDone), 0);
            assert_eq!(page.counter(MediaCounter::PacketsRelayed), 0);
        });
    }
}

#[test]
fn who_is_not_where_the_party_is_gets_no_answer() {
    let media = Media::start("dtls-stranger");
    let mut control = media.control();
    let certificate = Certificate::new();
    let party = certificate.fingerprint();
    let call = Shaken::new(&mut control, Handshake::Passive, party);
    let stranger = media_kit::party();
    stranger
        .set_read_timeout(Some(Duration::from_millis(300)))
        .expect("it has timeouts");
    let met = shake_hands(
        &stranger,
        call.stream.local,
        &certificate,
        Handshake::Passive,
    );
    assert!(met.is_err());
    let mut buffer = [0; 2_048];
    assert!(stranger.recv(&mut buffer).is_err(), "nothing came");
    let met = shake_hands(
        &call.browser,
        call.stream.local,
        &certificate,
        Handshake::Passive,
    );
    let mut met = met.expect("the party itself is answered");
    secured(&mut control);
    call.frame(&mut met, 1);
    std::thread::sleep(Duration::from_millis(300));
    media.counters(|page| assert!(page.drops(DropReason::ForeignSource) > 0));
}
