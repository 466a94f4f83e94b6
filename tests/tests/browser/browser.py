"""A browser that calls, or is called, by SIP over UDP: WebRTC is aiortc's, with its own ICE, DTLS and SRTP.

Says a tone of 440 Hz for as long as the call is up, and tells in words on standard output what becomes of the call and which
tone it hears. SIP is no more than one call needs.

Not here: what must come of it (main.rs).

    browser.py calls|answers ADDRESS PORT BOX_ADDRESS BOX_PORT
"""

import asyncio
import fractions
import math
import struct
import sys
import time

import aioice.ice
import av
from aiortc import MediaStreamTrack, RTCPeerConnection, RTCSessionDescription

ROLE, ADDRESS, PORT, BOX, BOX_PORT = sys.argv[1:]
PORT, BOX_PORT = int(PORT), int(BOX_PORT)

# It would leave out loopback, which is all there is here.
aioice.ice.get_host_addresses = lambda use_ipv4, use_ipv6: [ADDRESS]

RATE, FRAME = 8000, 160
SAYS, HEARS = 440, 1000
# A call that speaks so long has been asked for its consent (RFC 7675: every 5 s).
LONG = 7.0


def tell(text):
    print(text, flush=True)


class Tone(MediaStreamTrack):
    kind = "audio"

    def __init__(self):
        super().__init__()
        self.began, self.said = None, 0

    async def recv(self):
        self.began = self.began or time.time()
        await asyncio.sleep(max(0, self.began + self.said / RATE - time.time()))
        wave = (8000 * math.sin(2 * math.pi * SAYS * (self.said + n) / RATE) for n in range(FRAME))
        frame = av.AudioFrame(format="s16", layout="mono", samples=FRAME)
        frame.planes[0].update(struct.pack(f"<{FRAME}h", *(int(sample) for sample in wave)))
        frame.pts, frame.sample_rate = self.said, RATE
        frame.time_base = fractions.Fraction(1, RATE)
        self.said += FRAME
        return frame


def share(samples, tone, rate):
    """How much of the sound's energy is this tone (Goertzel)."""
    step = 2 * math.cos(2 * math.pi * tone / rate)
    before = last = 0.0
    for sample in samples:
        before, last = last, sample + step * last - before
    energy = sum(sample * sample for sample in samples) or 1
    return 2 * (before * before + last * last - step * before * last) / (len(samples) * energy)


async def listen(track, heard):
    """Counts whole seconds of the other's tone."""
    samples = []
    while True:
        frame = await track.recv()
        (sound,) = frame.to_ndarray()
        samples.extend(float(sample) for sample in sound[:: len(frame.layout.channels)])
        if len(samples) >= frame.sample_rate:
            if share(samples, HEARS, frame.sample_rate) > 0.9:
                heard.append(time.time())
                tell(f"hears the tone, {len(heard)} s")
            samples.clear()


class Message:
    def __init__(self, datagram):
        head, _, self.body = datagram.decode().partition("\r\n\r\n")
        self.start, *lines = head.split("\r\n")
        self.headers = [(name.strip().lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]

    def all(self, name):
        return [value for known, value in self.headers if known == name]

    def one(self, name):
        return (self.all(name) or [""])[0]


class Sip(asyncio.DatagramProtocol):
    def __init__(self):
        self.messages, self.answers = asyncio.Queue(), {}

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, datagram, _):
        if not datagram.strip():
            return
        message = Message(datagram)
        key = message.one("cseq")
        if not message.start.startswith("SIP/2.0") and key in self.answers:
            self.transport.sendto(self.answers[key], (BOX, BOX_PORT))
        else:
            self.messages.put_nowait(message)

    def send(self, start, headers, body=""):
        lines = [start, *(f"{name}: {value}" for name, value in headers)]
        if body:
            lines.append("Content-Type: application/sdp")
        lines.append(f"Content-Length: {len(body)}")
        datagram = ("\r\n".join(lines) + "\r\n\r\n" + body).encode()
        self.transport.sendto(datagram, (BOX, BOX_PORT))
        return datagram

    def answer(self, request, status, body=""):
        copied = [(name, value) for name, value in request.headers if name in ("via", "from", "call-id", "cseq", "record-route")]
        to = request.one("to")
        if "tag=" not in to:
            to += ";tag=browser"
        headers = [*copied, ("To", to), ("Contact", f"<sip:browser@{ADDRESS}:{PORT}>")]
        datagram = self.send(f"SIP/2.0 {status}", headers, body)
        if not status.startswith("1"):
            self.answers[request.one("cseq")] = datagram

    async def expect(self, *starts):
        while True:
            message = await asyncio.wait_for(self.messages.get(), 30)
            if message.start.startswith(starts):
                return message
            if message.start.startswith("OPTIONS"):
                self.answer(message, "200 OK")


class Dialog:
    """What a request of ours says, within one call that we have made."""

    def __init__(self, sip):
        self.sip, self.number = sip, 0
        self.source, self.to = f"<sip:+12025550100@{ADDRESS}>;tag=browser", f"<sip:+13125550100@{BOX}>"
        self.target, self.call = f"sip:+13125550100@{BOX}:{BOX_PORT}", f"{time.time_ns()}@{ADDRESS}"

    def say(self, method, body=""):
        self.number += method != "ACK"
        headers = [
            ("Via", f"SIP/2.0/UDP {ADDRESS}:{PORT};branch=z9hG4bK{method}{self.number}"),
            ("From", self.source),
            ("To", self.to),
            ("Call-ID", self.call),
            ("CSeq", f"{self.number} {method}"),
            ("Contact", f"<sip:browser@{ADDRESS}:{PORT}>"),
            ("Max-Forwards", "70"),
        ]
        self.sip.send(f"{method} {self.target} SIP/2.0", headers, body)


async def until(connection, state):
    while connection.connectionState != state:
        await asyncio.sleep(0.02)


async def main():
    loop = asyncio.get_running_loop()
    _, sip = await loop.create_datagram_endpoint(Sip, local_addr=(ADDRESS, PORT))
    connection, heard = RTCPeerConnection(), []
    connection.addTrack(Tone())
    connection.on("track", lambda track: asyncio.ensure_future(listen(track, heard)))
    connection.on("connectionstatechange", lambda: tell(f"is {connection.connectionState}"))
    tell("is ready")
    if ROLE == "calls":
        await connection.setLocalDescription(await connection.createOffer())
        dialog = Dialog(sip)
        dialog.say("INVITE", connection.localDescription.sdp)
        final = await sip.expect(*(f"SIP/2.0 {kind}" for kind in "23456"))
        tell(final.start)
        dialog.to = final.one("to")
        dialog.target = final.one("contact").partition("<")[2].partition(">")[0] or dialog.target
        dialog.say("ACK")
        await connection.setRemoteDescription(RTCSessionDescription(final.body, "answer"))
    else:
        invite = await sip.expect("INVITE")
        sip.answer(invite, "180 Ringing")
        await connection.setRemoteDescription(RTCSessionDescription(invite.body, "offer"))
        await connection.setLocalDescription(await connection.createAnswer())
        sip.answer(invite, "200 OK", connection.localDescription.sdp)
        await sip.expect("ACK")
    await asyncio.wait_for(until(connection, "connected"), 20)
    began = time.time()
    if ROLE == "calls":
        while len(heard) < LONG or time.time() - began < LONG:
            await asyncio.sleep(0.1)
        dialog.say("BYE")
        await sip.expect("SIP/2.0 200")
    else:
        sip.answer(await sip.expect("BYE"), "200 OK")
    for stats in (await connection.getStats()).values():
        if stats.type == "inbound-rtp":
            tell(f"received {stats.packetsReceived}, lost {stats.packetsLost}")
        if stats.type == "remote-inbound-rtp":
            tell(f"is told of {stats.packetsLost} lost")
    await connection.close()
    tell("has ended")


asyncio.run(main())
