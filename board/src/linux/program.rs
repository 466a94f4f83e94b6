//! The XDP program: a frame for the media plane goes to the socket of its queue, every other to the kernel.
//!
//! It is assembled here, instruction by instruction, with the addresses and the range of ports as constants, so that nothing but
//! this source and no compiler for another machine is needed to build the box. What it does, in C:
//!
//! ```c
//! if (ethertype is 802.1Q or 802.1ad) skip the tag;
//! if (IPv4 without options, whole, UDP, to one of the addresses, to a port of the range)  goto ours;
//! if (IPv6, UDP right behind the header, to one of the addresses, to a port of the range) goto ours;
//! if (ARP, ICMP or ICMPv6 about an address that is ours alone)                            goto ours;
//! return XDP_PASS;
//! ours: return bpf_redirect_map(&sockets, ctx->rx_queue_index, XDP_PASS);
//! ```
//!
//! Fragments and headers with options are for the kernel, which puts them together and hands them to the port's own socket.
//!
//! Not here: loading and attaching (`bpf.rs`).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::RangeInclusive;

/// What is to go to the sockets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Steering {
    /// Destinations of the media plane.
    pub(super) addresses: Vec<IpAddr>,
    /// Its ports.
    pub(super) ports: RangeInclusive<u16>,
    /// Those of the addresses that the kernel does not have: questions about them are for us, too.
    pub(super) alone: Vec<IpAddr>,
}

/// What the program does with a frame that is ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ours {
    /// To the socket which the map with this descriptor has for the queue; to the kernel where it has none.
    Redirect { map: i32 },
    /// Gives this code: how tests see the decision.
    #[cfg(test)]
    Return(i32),
}

/// One instruction as the kernel reads it (RFC 9669 §3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub(super) struct Instruction {
    code: u8,
    /// Source register in the high half, destination in the low.
    registers: u8,
    offset: i16,
    immediate: i32,
}

/// RFC 9669 §2.1: registers. The first five are arguments and are lost in a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Register(u8);

const RESULT: Register = Register(0);
const CONTEXT: Register = Register(6);
/// Where the frame begins; moved over the tag where there is one.
const FRAME: Register = Register(2);
const END: Register = Register(3);
const REACH: Register = Register(4);
const VALUE: Register = Register(5);

/// Sizes of a load, as in the code of the instruction.
#[derive(Debug, Clone, Copy)]
enum Size {
    Word = 0x00,
    Half = 0x08,
    Byte = 0x10,
}

/// Codes of `struct xdp_action`.
pub(super) const XDP_PASS: i32 = 2;

/// `bpf_redirect_map`.
const REDIRECT_MAP: i32 = 51;

const ETHERNET: i16 = 14;
const TAG: i16 = 4;
const UDP: i32 = 17;
const ICMP: i32 = 1;
const ICMPV6: i32 = 58;

/// A place that jumps lead to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Label(usize);

#[derive(Default)]
struct Assembler {
    code: Vec<Instruction>,
    /// For each label where it is, once known.
    labels: Vec<Option<usize>>,
    /// Instructions whose offset is a label's.
    jumps: Vec<(usize, Label)>,
}

impl Assembler {
    fn emit(&mut self, code: u8, to: Register, from: Register, offset: i16, immediate: i32) {
        self.code.push(Instruction {
            code,
            registers: from.0 << 4 | to.0,
            offset,
            immediate,
        });
    }

    fn label(&mut self) -> Label {
        self.labels.push(None);
        Label(self.labels.len() - 1)
    }

    fn place(&mut self, label: Label) {
        self.labels[label.0] = Some(self.code.len());
    }

    fn jump(&mut self, code: u8, left: Register, right: Register, immediate: i32, label: Label) {
        self.jumps.push((self.code.len(), label));
        self.emit(code, left, right, 0, immediate);
    }

    /// `to = *(size *)(from + offset)`
    fn load(&mut self, size: Size, to: Register, from: Register, offset: i16) {
        self.emit(0x61 | size as u8, to, from, offset, 0);
    }

    fn copy(&mut self, to: Register, from: Register) {
        self.emit(0xbf, to, from, 0, 0);
    }

    fn set(&mut self, to: Register, value: i32) {
        self.emit(0xb7, to, Register(0), 0, value);
    }

    fn add(&mut self, to: Register, value: i32) {
        self.emit(0x07, to, Register(0), 0, value);
    }

    fn and(&mut self, to: Register, value: i32) {
        self.emit(0x57, to, Register(0), 0, value);
    }

    /// From the order of the network to that of the machine, for comparisons of size.
    fn network_to_host(&mut self, register: Register) {
        self.emit(0xdc, register, Register(0), 0, 16);
    }

    fn goto(&mut self, label: Label) {
        self.jump(0x05, Register(0), Register(0), 0, label);
    }

    /// Compares 32 bits, so that no constant is taken for a negative number.
    fn if_equal(&mut self, register: Register, value: i32, label: Label) {
        self.jump(0x16, register, Register(0), value, label);
    }

    fn if_not_equal(&mut self, register: Register, value: i32, label: Label) {
        self.jump(0x56, register, Register(0), value, label);
    }

    fn if_above(&mut self, register: Register, value: i32, label: Label) {
        self.jump(0x26, register, Register(0), value, label);
    }

    fn if_below(&mut self, register: Register, value: i32, label: Label) {
        self.jump(0xa6, register, Register(0), value, label);
    }

    /// The verifier asks for this before each look into the frame.
    fn if_shorter(&mut self, length: i16, label: Label) {
        self.copy(REACH, FRAME);
        self.add(REACH, i32::from(length));
        self.jump(0x2d, REACH, END, 0, label);
    }

    fn exit(&mut self) {
        self.emit(0x95, Register(0), Register(0), 0, 0);
    }

    fn finish(mut self) -> Vec<Instruction> {
        for (place, label) in self.jumps {
            let target = self.labels[label.0].expect("every label is placed below");
            // Jumps count from the instruction behind.
            self.code[place].offset = (target as i64 - place as i64 - 1) as i16;
        }
        self.code
    }
}

/// Constants as a load of the frame sees them: octets of the network in the order of this machine.
fn half(value: u16) -> i32 {
    i32::from(u16::from_ne_bytes(value.to_be_bytes()))
}

fn word(octets: [u8; 4]) -> i32 {
    i32::from_ne_bytes(octets)
}

/// The program for this steering.
pub(super) fn assemble(steering: &Steering, ours: Ours) -> Vec<Instruction> {
    let mut a = Assembler::default();
    let to = Exits {
        port: a.label(),
        ours: a.label(),
        pass: a.label(),
    };
    let v4: Vec<_> = v4_of(&steering.addresses).collect();
    let v6: Vec<_> = v6_of(&steering.addresses).collect();
    let v4_alone: Vec<_> = v4_of(&steering.alone).collect();
    let v6_alone: Vec<_> = v6_of(&steering.alone).collect();
    // The verifier refuses what is never reached, so a family without addresses has no part.
    if !steering.addresses.is_empty() {
        let (is_v4, is_v6, is_arp) = (a.label(), a.label(), a.label());
        ethernet(&mut a, to.pass);
        if !v4.is_empty() {
            a.if_equal(VALUE, half(0x0800), is_v4);
        }
        if !v6.is_empty() {
            a.if_equal(VALUE, half(0x86dd), is_v6);
        }
        if !v4_alone.is_empty() {
            a.if_equal(VALUE, half(0x0806), is_arp);
        }
        a.goto(to.pass);
        if !v4_alone.is_empty() {
            a.place(is_arp);
            arp(&mut a, &v4_alone, &to);
        }
        if !v4.is_empty() {
            a.place(is_v4);
            over_v4(&mut a, &v4, &v4_alone, &to);
        }
        if !v6.is_empty() {
            a.place(is_v6);
            over_v6(&mut a, &v6, &v6_alone, &to);
        }
        a.place(to.port);
        a.network_to_host(VALUE);
        a.if_below(VALUE, i32::from(*steering.ports.start()), to.pass);
        a.if_above(VALUE, i32::from(*steering.ports.end()), to.pass);
        a.place(to.ours);
        deliver(&mut a, ours);
    }
    a.place(to.pass);
    a.set(RESULT, XDP_PASS);
    a.exit();
    a.finish()
}

/// Where a part leads to.
struct Exits {
    /// The port of what may be media is in [`VALUE`].
    port: Label,
    ours: Label,
    pass: Label,
}

/// Afterwards the type is in [`VALUE`], and [`FRAME`] begins so that [`ETHERNET`] octets precede what is of that type.
fn ethernet(a: &mut Assembler, pass: Label) {
    let (tagged, untagged) = (a.label(), a.label());
    // struct xdp_md: data, data_end, data_meta, ingress_ifindex, rx_queue_index.
    a.copy(CONTEXT, Register(1));
    a.load(Size::Word, FRAME, CONTEXT, 0);
    a.load(Size::Word, END, CONTEXT, 4);
    a.if_shorter(ETHERNET, pass);
    a.load(Size::Half, VALUE, FRAME, 12);
    a.if_equal(VALUE, half(0x8100), tagged);
    a.if_not_equal(VALUE, half(0x88a8), untagged);
    a.place(tagged);
    a.if_shorter(ETHERNET + TAG, pass);
    a.load(Size::Half, VALUE, FRAME, 12 + TAG);
    a.add(FRAME, i32::from(TAG));
    a.place(untagged);
}

fn arp(a: &mut Assembler, alone: &[Ipv4Addr], to: &Exits) {
    a.if_shorter(ETHERNET + 28, to.pass);
    // The address that is asked for (RFC 826).
    a.load(Size::Word, VALUE, FRAME, ETHERNET + 24);
    for address in alone {
        a.if_equal(VALUE, word(address.octets()), to.ours);
    }
    a.goto(to.pass);
}

fn over_v4(a: &mut Assembler, addresses: &[Ipv4Addr], alone: &[Ipv4Addr], to: &Exits) {
    let (udp, icmp, is_ours) = (a.label(), a.label(), a.label());
    a.if_shorter(ETHERNET + 20 + 8, to.pass);
    a.load(Size::Byte, VALUE, FRAME, ETHERNET);
    a.if_not_equal(VALUE, 0x45, to.pass);
    // More fragments, or not the first.
    a.load(Size::Half, VALUE, FRAME, ETHERNET + 6);
    a.and(VALUE, half(0x3fff));
    a.if_not_equal(VALUE, 0, to.pass);
    a.load(Size::Byte, VALUE, FRAME, ETHERNET + 9);
    a.if_equal(VALUE, UDP, udp);
    if !alone.is_empty() {
        a.if_equal(VALUE, ICMP, icmp);
    }
    a.goto(to.pass);
    a.place(udp);
    a.load(Size::Word, VALUE, FRAME, ETHERNET + 16);
    for address in addresses {
        a.if_equal(VALUE, word(address.octets()), is_ours);
    }
    a.goto(to.pass);
    a.place(is_ours);
    a.load(Size::Half, VALUE, FRAME, ETHERNET + 20 + 2);
    a.goto(to.port);
    if !alone.is_empty() {
        a.place(icmp);
        a.load(Size::Word, VALUE, FRAME, ETHERNET + 16);
        for address in alone {
            a.if_equal(VALUE, word(address.octets()), to.ours);
        }
        a.goto(to.pass);
    }
}

fn over_v6(a: &mut Assembler, addresses: &[Ipv6Addr], alone: &[Ipv6Addr], to: &Exits) {
    let (udp, icmp, is_ours) = (a.label(), a.label(), a.label());
    a.if_shorter(ETHERNET + 40 + 8, to.pass);
    a.load(Size::Byte, VALUE, FRAME, ETHERNET + 6);
    a.if_equal(VALUE, UDP, udp);
    if !alone.is_empty() {
        a.if_equal(VALUE, ICMPV6, icmp);
    }
    a.goto(to.pass);
    if !alone.is_empty() {
        a.place(icmp);
        for address in alone {
            if_to_v6(a, address, to.ours);
            if_to_v6(a, &solicited_node(address), to.ours);
        }
        a.goto(to.pass);
    }
    a.place(udp);
    for address in addresses {
        if_to_v6(a, address, is_ours);
    }
    a.goto(to.pass);
    a.place(is_ours);
    a.load(Size::Half, VALUE, FRAME, ETHERNET + 40 + 2);
    a.goto(to.port);
}

fn if_to_v6(a: &mut Assembler, address: &Ipv6Addr, label: Label) {
    let another = a.label();
    let octets = address.octets();
    let (words, _) = octets.as_chunks::<4>();
    for (octets, offset) in words.iter().zip((ETHERNET + 24..).step_by(4)) {
        a.load(Size::Word, VALUE, FRAME, offset);
        a.if_not_equal(VALUE, word(*octets), another);
    }
    a.goto(label);
    a.place(another);
}

/// RFC 4291 §2.7.1: where questions about an address go.
pub(super) fn solicited_node(address: &Ipv6Addr) -> Ipv6Addr {
    let [.., a, b, c] = address.octets();
    Ipv6Addr::from([0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, a, b, c])
}

fn deliver(a: &mut Assembler, ours: Ours) {
    match ours {
        Ours::Redirect { map } => {
            a.load(Size::Word, Register(2), CONTEXT, 16);
            // A load of 64 bits takes two places; source 1 says that it is a map's descriptor.
            a.emit(0x18, Register(1), Register(1), 0, map);
            a.emit(0, Register(0), Register(0), 0, 0);
            a.set(Register(3), XDP_PASS);
            a.emit(0x85, Register(0), Register(0), 0, REDIRECT_MAP);
        }
        #[cfg(test)]
        Ours::Return(code) => a.set(RESULT, code),
    }
    a.exit();
}

fn v4_of(addresses: &[IpAddr]) -> impl Iterator<Item = Ipv4Addr> {
    addresses.iter().filter_map(|address| match address {
        IpAddr::V4(address) => Some(*address),
        IpAddr::V6(_) => None,
    })
}

fn v6_of(addresses: &[IpAddr]) -> impl Iterator<Item = Ipv6Addr> {
    addresses.iter().filter_map(|address| match address {
        IpAddr::V6(address) => Some(*address),
        IpAddr::V4(_) => None,
    })
}

#[cfg(test)]
mod tests;
