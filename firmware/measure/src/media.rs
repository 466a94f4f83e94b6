//! What the media process counts as a whole.
//!
//! The order is that of the shared page (`media_api::shared`).
//!
//! Not here: the counts of one stream (`media_api::Statistics`).

use crate::metric::words;
use crate::{Kind, Metric, Unit};

words! {
    /// What the media process counts as a whole.
    MediaCounter {
        PacketsReceived "packets_received" "Datagrams taken from the ports.",
        OctetsReceived "octets_received" "Payload octets of the datagrams taken from the ports.",
        PacketsSent "packets_sent" "Datagrams given to the ports.",
        OctetsSent "octets_sent" "Payload octets of the datagrams given to the ports.",
        PacketsRelayed "packets_relayed" "RTP packets passed from one stream to its peer.",
        RtcpRelayed "rtcp_relayed" "RTCP packets passed from one stream to its peer.",
        RtcpMade "rtcp_made" "RTCP reports of our own.",
        ToneFrames "tone_frames" "Frames of tones played.",
        Turns "turns" "Turns of the worker's loop.",
        EventsLost "events_lost" "Events nobody took in time.",
        Streams "streams" "Streams held.",
        PortsOpen "ports_open" "Local ports in use.",
        LongestTurn "longest_turn" "Longest turn of the worker's loop, without its waiting.",
        ChecksAnswered "checks_answered" "ICE checks answered.",
        HandshakesDone "handshakes_done" "DTLS handshakes that gave keys.",
        HandshakesFailed "handshakes_failed" "DTLS handshakes that gave none.",
        CertificatesRefused "certificates_refused" "Certificates that are not those of the party's description.",
        Overruns "overruns" "Datagrams lost because nobody took them from their port in time.",
    }
}

impl MediaCounter {
    /// What there is to say of it.
    #[must_use]
    pub const fn metric(self) -> Metric {
        let (unit, kind) = match self {
            Self::PacketsReceived
            | Self::PacketsSent
            | Self::PacketsRelayed
            | Self::RtcpRelayed
            | Self::RtcpMade
            | Self::ToneFrames
            | Self::ChecksAnswered
            | Self::Overruns => (Unit::Packets, Kind::Counter),
            Self::OctetsReceived | Self::OctetsSent => (Unit::Octets, Kind::Counter),
            Self::Turns
            | Self::EventsLost
            | Self::HandshakesDone
            | Self::HandshakesFailed
            | Self::CertificatesRefused => (Unit::Items, Kind::Counter),
            Self::Streams | Self::PortsOpen => (Unit::Items, Kind::Gauge),
            Self::LongestTurn => (Unit::Microseconds, Kind::Gauge),
        };
        Metric {
            word: self.word(),
            unit,
            kind,
            help: self.help(),
        }
    }
}
