//! Negotiation told as stories: what a party says, and what the other one is told.
//!
//! Each file of `negotiation/` is a call on two legs, `carrier` (RTP/AVP) and `teams`; `secured` is a carrier with SRTP. A line
//! `---- who does what` begins a step; below it stands the SDP that came in, or that must go out. Keys of ours are readable: the
//! first is all bytes 1, the second all bytes 2, and so on.
//!
//! After every step nothing that one party said may stand in what the other is told; at the end of every story both legs are
//! kept, restored, and must say and do the same.
//!
//! Not here: SIP, times, ports.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;

use call::media::negotiate::{Description, LegPolicy, LocalMedia, NegotiateError, Negotiation};
use config::document::trunk::{Codec, MediaPolicy, Profile, Silence, Sources, Suite};
use media_api::{Rtcp, Sdes, StreamId, StreamSpec};
use sip::sdp::SessionDescription;
use sip::token::{RngCore, Tokens};

#[test]
fn stories() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/negotiation");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .expect("the folder is there")
        .map(|file| file.expect("a file").path())
        .collect();
    files.sort();
    assert!(files.len() > 10, "there are stories");
    let mut faults = String::new();
    for path in files {
        let text = read(&path);
        if let Err(fault) = Story::new().tell(&text) {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let _ = writeln!(faults, "{name}: {fault}\n");
        }
    }
    assert!(faults.is_empty(), "{faults}");
}

/// Whatever comes in, whenever: what we say can be read, stays at one address, and keeps to the leg's profile.
#[test]
fn damaged_bodies_in_any_order() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/negotiation");
    let stories = [
        "carrier-calls-teams.txt",
        "teams-calls-carrier.txt",
        "video-and-fax.txt",
        "secured-carrier-calls.txt",
    ];
    let texts = stories.map(|name| read(&folder.join(name)));
    let bodies: Vec<(&str, &[u8])> = texts
        .iter()
        .flat_map(|text| text.split("\n---- "))
        .filter_map(|step| {
            let (header, body) = step.split_once('\n')?;
            let (name, what) = header.split_once(' ')?;
            matches!(what, "offers" | "answers").then_some((name, body.as_bytes()))
        })
        .collect();
    let mut chance = Tokens::new([7; 32]);
    let (mut said, mut agreed) = (0, 0);
    for _ in 0..400 {
        let Story { mut legs, .. } = Story::new();
        let mut others: Vec<Description> = Vec::new();
        for _ in 0..12 {
            let (name, body) = bodies[chance.next_u32() as usize % bodies.len()];
            let mut body = body.to_vec();
            for _ in 0..chance.next_u32() % 3 {
                let at = chance.next_u32() as usize % body.len();
                body[at] = b"0189 /:|=\r\n-amoc."[chance.next_u32() as usize % 17];
            }
            let negotiation = &mut legs.get_mut(name).expect("a leg").negotiation;
            let other = others.get(chance.next_u32() as usize % (others.len() + 1));
            let told = match chance.next_u32() % 8 {
                0 | 1 => negotiation.receive_offer(&body).map(|d| (None, Some(d))),
                2 => negotiation.receive_answer(&body).map(|d| (None, Some(d))),
                3 | 4 => negotiation
                    .offer(other, &mut chance)
                    .map(|t| (Some(t), None)),
                5 if other.is_some() => {
                    let other = other.expect("it is some");
                    negotiation
                        .answer(other, &mut chance)
                        .map(|t| (Some(t), None))
                }
                6 => {
                    negotiation.withdraw();
                    Ok((negotiation.repeat(), None))
                }
                _ => Ok((negotiation.offer_again(), None)),
            };
            if let Ok((told, described)) = told {
                others.extend(described);
                if let Some(told) = told {
                    said += 1;
                    holds(name, &told);
                }
            }
            let bind = SocketAddr::from(([127, 0, 0, 1], 20_000));
            agreed += usize::from(negotiation.spec(StreamId(1), bind, &[]).is_some());
        }
    }
    assert!(said > 500 && agreed > 500, "{said} said, {agreed} agreed");
}

/// What must be true of every SDP of ours.
fn holds(leg: &str, told: &[u8]) {
    let shown = String::from_utf8_lossy(told);
    let sdp = SessionDescription::parse(told).unwrap_or_else(|e| panic!("{e}\n{shown}"));
    let host = match leg {
        "carrier" => 10,
        "teams" => 20,
        _ => 30,
    };
    let here = IpAddr::V4(Ipv4Addr::new(198, 51, 100, host));
    assert_eq!(sdp.connection.as_ref().and_then(|c| c.ip()), Some(here));
    assert_eq!(sdp.origin.address.ip(), Some(here));
    let active: Vec<_> = sdp.media.iter().filter(|media| media.port != 0).collect();
    let [audio] = &active[..] else {
        panic!("one section is in use\n{shown}");
    };
    assert_eq!(audio.port, 20_000 + u16::from(host), "MED-05\n{shown}");
    assert_eq!(
        audio.protocol.is_secure(),
        leg != "carrier",
        "MED-02\n{shown}"
    );
    assert_eq!(audio.crypto.is_empty(), leg == "carrier", "{shown}");
    if leg == "teams" {
        for hold in ["sendonly", "recvonly", "0.0.0.0"] {
            assert!(!shown.contains(hold), "INV-25\n{shown}");
        }
    }
}

/// Keys that a reader can tell apart.
struct Readable(u8);

impl RngCore for Readable {
    fn next_u32(&mut self) -> u32 {
        self.0.into()
    }

    fn next_u64(&mut self) -> u64 {
        self.0.into()
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        self.0 += 1;
        bytes.fill(self.0);
    }
}

struct Leg {
    negotiation: Negotiation,
    policy: LegPolicy,
    /// What the party said last, offer or answer.
    said: Option<Description>,
    /// What has come of the last step, until the story says so.
    error: Option<NegotiateError>,
    /// Words of the party that must not be seen elsewhere.
    secrets: Vec<String>,
}

struct Story {
    legs: BTreeMap<&'static str, Leg>,
    keys: Readable,
}

impl Story {
    fn new() -> Self {
        let avp = MediaPolicy {
            profile: Profile::Avp,
            suites: Vec::new(),
            codecs: vec![Codec::Pcma, Codec::Pcmu, Codec::G722, Codec::G729],
            rtcp_mux: false,
            sources: Sources::Latch,
            silence: Silence::default(),
        };
        let savp = MediaPolicy {
            profile: Profile::Savp,
            suites: vec![Suite::AeadAes256Gcm, Suite::AesCm128HmacSha1_32],
            sources: Sources::Signalled,
            ..avp.clone()
        };
        let teams = MediaPolicy {
            profile: Profile::Savp,
            suites: vec![Suite::AesCm128HmacSha1_80],
            codecs: vec![Codec::Pcmu, Codec::Pcma, Codec::G722],
            rtcp_mux: true,
            sources: Sources::Latch,
            silence: Silence::default(),
        };
        let leg = |policy: LegPolicy, host, session: u64| Leg {
            negotiation: Negotiation::new(
                policy.clone(),
                LocalMedia {
                    address: IpAddr::V4(Ipv4Addr::new(198, 51, 100, host)),
                    port: 20_000 + u16::from(host),
                },
                session << 1,
            ),
            policy,
            said: None,
            error: None,
            secrets: Vec::new(),
        };
        Self {
            legs: BTreeMap::from([
                ("carrier", leg(LegPolicy::carrier(avp), 10, 1000)),
                ("teams", leg(LegPolicy::teams(teams), 20, 2000)),
                ("secured", leg(LegPolicy::carrier(savp), 30, 3000)),
            ]),
            keys: Readable(0),
        }
    }

    fn tell(mut self, text: &str) -> Result<(), String> {
        let (title, steps) = text.split_once("\n---- ").ok_or("a story has steps")?;
        if title.trim().is_empty() {
            return Err("a story begins with what it tells".to_owned());
        }
        for step in steps.split("\n---- ") {
            let (header, body) = step.split_once('\n').unwrap_or((step, ""));
            self.step(header, body.trim())
                .map_err(|fault| format!("{header}: {fault}"))?;
        }
        self.unread_errors()?;
        self.restart()
    }

    fn step(&mut self, header: &str, body: &str) -> Result<(), String> {
        let (who, what) = header.split_once(' ').ok_or("who does what")?;
        let who = ["carrier", "teams", "secured"]
            .into_iter()
            .find(|name| who == *name || who.strip_suffix("'s") == Some(name))
            .ok_or("nobody of that name")?;
        if what != "is refused" {
            self.unread_errors()?;
        }
        let other = self.legs.iter().find_map(|(name, leg)| {
            let said = leg.said.as_ref()?;
            (*name != who).then(|| said.clone())
        });
        let leg = self.legs.get_mut(who).ok_or("nobody of that name")?;
        if matches!(what, "offers" | "answers" | "refreshes") {
            leg.secrets.extend(secrets(body));
        }
        let told = match what {
            "offers" | "refreshes" => {
                if leg.negotiation.is_refresh(body.as_bytes()) != (what == "refreshes") {
                    return Err("it is the other: a refresh, or none".to_owned());
                }
                match leg.negotiation.receive_offer(body.as_bytes()) {
                    Ok(said) => leg.said = Some(said),
                    Err(error) => leg.error = Some(error),
                }
                return Ok(());
            }
            "answers" => {
                match leg.negotiation.receive_answer(body.as_bytes()) {
                    Ok(said) => leg.said = Some(said),
                    Err(error) => leg.error = Some(error),
                }
                return Ok(());
            }
            "refuses" => {
                leg.negotiation.withdraw();
                return Ok(());
            }
            "is refused" => {
                leg.negotiation.refuse();
                leg.error
                    .take()
                    .map(|error| error.to_string())
                    .ok_or("it was not refused")?
            }
            "would notice" | "would not notice" => {
                let other = other.ok_or("nobody has said anything")?;
                let would = leg.negotiation.would_change(&other);
                return if would == (what == "would notice") {
                    Ok(())
                } else {
                    Err("it is the other way round".to_owned())
                };
            }
            "is told nothing new" => {
                let repeated = leg.negotiation.repeat().ok_or("nothing was said")?;
                let answered = leg.negotiation.answer_again(&mut self.keys);
                return match answered {
                    Ok(answered) if answered == repeated => Ok(()),
                    Ok(answered) => Err(text(&answered)),
                    Err(error) => Err(error.to_string()),
                };
            }
            "stream" => return same(body, &self.stream(who)?),
            "is offered" | "is offered what the trunk allows" | "is answered" => {
                let said = match what {
                    "is answered" => {
                        let other = other.ok_or("nobody has said anything")?;
                        leg.negotiation.answer(&other, &mut self.keys)
                    }
                    "is offered" => {
                        let other = other.ok_or("nobody has said anything")?;
                        leg.negotiation.offer(Some(&other), &mut self.keys)
                    }
                    _ => leg.negotiation.offer(None, &mut self.keys),
                };
                match said {
                    Ok(said) => text(&said),
                    Err(error) => {
                        leg.error = Some(error);
                        return Ok(());
                    }
                }
            }
            _ => return Err("no such step".to_owned()),
        };
        self.leaks(who, &told)?;
        same(body, &told)
    }

    /// A refusal must be read by the story before it goes on.
    fn unread_errors(&self) -> Result<(), String> {
        match self.legs.values().find_map(|leg| leg.error) {
            Some(error) => Err(format!("before this: {error}")),
            None => Ok(()),
        }
    }

    /// Nothing of what the others said stands in what `who` is told.
    fn leaks(&self, who: &str, told: &str) -> Result<(), String> {
        let words: Vec<&str> = told.split([' ', ':', '|', '\n', '/', '=']).collect();
        for (name, leg) in self.legs.iter().filter(|(name, _)| **name != who) {
            for secret in &leg.secrets {
                if words.contains(&secret.as_str()) {
                    return Err(format!("{name}'s {secret:?} has got into\n{told}"));
                }
            }
        }
        Ok(())
    }

    fn spec(&self, who: &str) -> Option<StreamSpec> {
        let bind = SocketAddr::from(([127, 0, 0, 1], 20_000));
        let others = self.legs.iter().filter(|(name, _)| **name != who);
        let incoming: Vec<_> = others
            .flat_map(|(_, leg)| leg.negotiation.incoming().to_vec())
            .collect();
        self.legs
            .get(who)?
            .negotiation
            .spec(StreamId(1), bind, &incoming)
    }

    fn stream(&self, who: &str) -> Result<String, String> {
        let spec = self.spec(who).ok_or("there is none")?;
        let mut shown = String::new();
        let rtcp = match spec.rtcp {
            Rtcp::Muxed => "muxed",
            Rtcp::Separate => "separate",
        };
        match spec.remote {
            Some(remote) => {
                let _ = writeln!(shown, "to {} rtcp {} {rtcp}", remote.rtp, remote.rtcp);
            }
            None => {
                let _ = writeln!(shown, "to nowhere, rtcp {rtcp}");
            }
        }
        let _ = writeln!(shown, "{:?} {:?}", spec.direction, spec.source);
        let pairs = spec.payloads.pairs().iter();
        let pairs: Vec<String> = pairs.map(|(from, to)| format!("{from}>{to}")).collect();
        let _ = writeln!(shown, "payloads {}", pairs.join(" "));
        for (name, key) in [("receive", &spec.receive), ("transmit", &spec.transmit)] {
            if let Some(Sdes {
                suite,
                key,
                mki,
                lifetime,
            }) = key
            {
                let byte = key.as_bytes()[0];
                let length = key.as_bytes().len();
                let _ = writeln!(
                    shown,
                    "{name} {suite:?} {length} bytes from {byte:#04x}, mki {mki:?}, lifetime {lifetime:?}"
                );
            }
        }
        Ok(shown.trim().to_owned())
    }

    /// Every leg on which both sides have spoken is kept, restored, and is the same.
    fn restart(&mut self) -> Result<(), String> {
        let names: Vec<_> = self.legs.keys().copied().collect();
        let before: Vec<_> = names.iter().map(|name| self.spec(name)).collect();
        for leg in self.legs.values_mut() {
            leg.negotiation.withdraw();
            let Some(image) = leg.negotiation.image() else {
                continue;
            };
            let kept = serde_json::to_string(&image).map_err(|e| e.to_string())?;
            let image = serde_json::from_str(&kept).map_err(|e| e.to_string())?;
            let restored = Negotiation::restore(leg.policy.clone(), &image)
                .map_err(|error| format!("not restored: {error}"))?;
            if restored.repeat() != leg.negotiation.repeat() || restored.image() != Some(image) {
                return Err("restored, it says something else".to_owned());
            }
            if restored.described() != leg.negotiation.described() {
                return Err("restored, it describes something else".to_owned());
            }
            leg.negotiation = restored;
        }
        let after: Vec<_> = names.iter().map(|name| self.spec(name)).collect();
        if before == after {
            Ok(())
        } else {
            Err(format!("restored, {before:?}\nbecame {after:?}"))
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the stories lie in files")]
fn read(path: &Path) -> String {
    String::from_utf8(std::fs::read(path).expect("a readable file")).expect("a story is text")
}

/// The words of an SDP that belong to its writer alone.
fn secrets(body: &str) -> Vec<String> {
    let mut secrets = Vec::new();
    for line in body.lines() {
        let mut words = line.split([' ', ':', '|', '=', '/']).skip(1);
        match line.split(['=', ':']).nth(1) {
            _ if line.starts_with("o=") => {
                secrets.extend(words.by_ref().take(2).map(str::to_owned))
            }
            _ if line.starts_with("m=") => secrets.extend(words.by_ref().nth(1).map(str::to_owned)),
            Some("candidate" | "ice-ufrag" | "ice-pwd" | "label" | "crypto" | "rtcp") => {
                secrets.extend(words.by_ref().skip(1).map(str::to_owned));
            }
            Some(attribute) if attribute.starts_with("x-") => secrets.push(attribute.to_owned()),
            _ => {}
        }
        let dotted = line
            .split([' ', '/'])
            .filter(|word| word.parse::<IpAddr>().is_ok());
        secrets.extend(dotted.map(str::to_owned));
    }
    // Words that say nothing about anybody.
    secrets.retain(|word| word.len() > 3 && !word.starts_with("AES_") && word != "inline");
    secrets.retain(|word| !matches!(word.as_str(), "0.0.0.0" | "host" | "2^31" | "SDES"));
    secrets
}

fn text(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    assert_eq!(text.matches('\n').count(), text.matches("\r\n").count());
    text.replace("\r\n", "\n").trim().to_owned()
}

fn same(expected: &str, is: &str) -> Result<(), String> {
    if expected == is {
        Ok(())
    } else {
        Err(format!("should be\n{expected}\n\nbut is\n{is}"))
    }
}
