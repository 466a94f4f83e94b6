//! A box with an address in each version of IP: a call may come over one and go over the other.
//!
//! Not here: packets (`postern/tests/media.rs`), real peers (`tests/tests/sipp.rs`).

mod kit;

use kit::{CONFIG, Lab, Party, Side, carrier_sdp, teams_sdp};
use media_api::{Command, StreamSpec};

fn config() -> String {
    CONFIG.replace(
        "address = \"127.0.0.1\"\n",
        "address = [\"127.0.0.1\", \"fd00::1\"]\nadvertised = [\"2001:db8::1\"]\n",
    )
}

/// What a carrier says that speaks IPv6.
fn carrier_sdp_6() -> String {
    carrier_sdp(4_000, "").replace("IN IP4 127.0.0.9", "IN IP6 2001:db8::9")
}

/// The last word about each stream.
fn streams(lab: &Lab) -> Vec<&StreamSpec> {
    let mut streams = Vec::<&StreamSpec>::new();
    for command in &lab.media {
        if let Command::Put(spec) = command {
            streams.retain(|known| known.id != spec.id);
            streams.push(spec);
        }
    }
    streams
}

#[test]
fn who_calls_over_ipv6_is_met_there_and_teams_is_not() {
    let mut lab = Lab::with(&config());
    let (_, invite) = lab.carrier_calls("", &carrier_sdp_6());
    assert!(invite.body().contains("c=IN IP4 127.0.0.1\r\n"));
    let ok = invite.response(
        "200 OK",
        "t1",
        "Contact: <sip:api-du@127.0.0.2:5061;transport=tls>\r\n",
        &teams_sdp(50_000, 'T', ""),
    );
    lab.from(Side::Teams, &ok);
    lab.expect(Side::Teams, "ACK");
    let answered = lab.expect(Side::Carrier, "200");
    for line in ["o=- ", "c="] {
        let mut lines = answered.body().lines();
        let line = lines
            .find(|said| said.starts_with(line))
            .unwrap_or_default();
        assert!(line.ends_with("IN IP6 2001:db8::1"), "{line}");
    }
    let mut party = Party::calling(Side::Carrier, &answered);
    lab.from(Side::Carrier, &party.ack(""));
    let locals: Vec<(String, String)> = streams(&lab)
        .iter()
        .map(|spec| {
            let remote = spec.remote.map(|remote| remote.rtp.ip().to_string());
            (spec.local.ip().to_string(), remote.unwrap_or_default())
        })
        .collect();
    for pair in [("127.0.0.1", "127.0.0.2"), ("fd00::1", "2001:db8::9")] {
        let pair = (pair.0.to_owned(), pair.1.to_owned());
        assert!(locals.contains(&pair), "{locals:?}");
    }

    // MED-05: in the call it stays there.
    let other = carrier_sdp(4_000, "").replace("SecretSwitch 22 1", "SecretSwitch 22 2");
    lab.from(Side::Carrier, &party.request("INVITE", "", &other));
    lab.expect(Side::Carrier, "100");
    lab.expect(Side::Carrier, "488");
}

#[test]
fn who_is_called_is_offered_the_version_it_is_signalled_with_in() {
    let config = config()
        .replace("address = \"127.0.0.1:5060\"", "address = \"[::1]:5060\"")
        .replace("127.0.0.9:5070", "[::9]:5070")
        .replace(
            "sources = [\"127.0.0.9\"]",
            "sources = [\"::9\", \"127.0.0.9\"]",
        );
    let mut lab = Lab::with(&config);
    let invite = kit::teams_invite("", &teams_sdp(50_000, 'T', ""));
    lab.from(Side::Teams, &invite);
    let sent = lab.sent.iter().map(|(_, text)| text);
    let mut offers = sent.filter(|text| text.method() == "INVITE");
    let offer = offers.next().expect("the carrier is called").body();
    assert!(offer.contains("c=IN IP6 2001:db8::1\r\n"), "{offer}");
}
