//! Why the pipeline did not obey a command.
//!
//! Not here: faults of a frame on the wire between the planes (`media_api::FrameError`), which end the connection.

use crate::metric::words;

words! {
    /// Why the pipeline did not obey a command.
    Refusal {
        UnknownStream "unknown_stream" "No stream of this id.",
        Full "full" "As many streams as this box holds already.",
        AddressInUse "address_in_use" "The local address is bound by another stream or another program.",
        AddressUnavailable "address_unavailable" "The local address is not one of this box.",
        OutOfPorts "out_of_ports" "The system gives no more sockets.",
        MovedAddress "moved_address" "The local address of a stream never moves while it lives.",
        BadAddress "bad_address" "The local port is zero or odd with separate RTCP, or the remote is the stream itself.",
        BadKey "bad_key" "Key material or its identifier does not fit the suite.",
        BadPayload "bad_payload" "A payload type beyond 127 or mapped twice.",
        BadDscp "bad_dscp" "A code point beyond 63.",
        BadIce "bad_ice" "A name or password for ICE that is too short or too long.",
        BadHandshake "bad_handshake" "Keys of SDP beside a handshake, or a handshake with RTCP on a port of its own.",
        BadClock "bad_clock" "A clock rate of zero.",
        SelfLink "self_link" "A stream cannot be linked to itself.",
        NoToneCodec "no_tone_codec" "The stream has no G.711 payload type to play a tone in.",
    }
}
