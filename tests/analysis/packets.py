"""Writes captures: the packets of a conversation, as tcpdump would have kept them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import dpkt

from tests.analysis.log_scenes import START, STATION, UP, Line

CLIENT, SERVER = ("192.0.2.17", 50123), ("192.0.2.80", 9000)
CLIENT_NUMBER, SERVER_NUMBER = 0xFFFFFF00, 70_000
"""The numbers of the client turn over within the conversation."""


class Packet(NamedTuple):
    """One segment of a TCP connection."""

    after: float
    up: bool
    seq: int
    ack: int
    data: bytes
    flags: int = dpkt.tcp.TH_ACK


class Wire:
    """A TCP connection that is being written down."""

    def __init__(self) -> None:
        self.packets: list[Packet] = []
        self._next = {True: CLIENT_NUMBER, False: SERVER_NUMBER}
        self._add(0.0, b"", dpkt.tcp.TH_SYN, up=True)
        self._add(0.001, b"", dpkt.tcp.TH_SYN | dpkt.tcp.TH_ACK, up=False)

    def _add(self, after: float, data: bytes, flags: int = dpkt.tcp.TH_ACK, *, up: bool) -> None:
        self.packets.append(Packet(after, up, self._next[up], self._next[not up], data, flags))
        taken = len(data) + bool(flags & (dpkt.tcp.TH_SYN | dpkt.tcp.TH_FIN))
        self._next[up] = (self._next[up] + taken) % (1 << 32)

    def send(self, after: float, data: bytes, *, up: bool, size: int = 1460) -> Wire:
        """Send bytes in segments of a size."""
        for start in range(0, len(data), size):
            self._add(after + start * 1e-6, data[start : start + size], up=up)
        return self

    def fin(self, after: float, *, up: bool) -> Wire:
        """End the connection."""
        self._add(after, b"", dpkt.tcp.TH_FIN | dpkt.tcp.TH_ACK, up=up)
        self._add(after + 0.001, b"", dpkt.tcp.TH_FIN | dpkt.tcp.TH_ACK, up=not up)
        return self


def ws_frame(text: str | bytes, *, masked: bool, opcode: int = 1, final: bool = True, rsv: int = 0) -> bytes:
    data = text.encode() if isinstance(text, str) else text
    head = bytearray([(0x80 if final else 0) | rsv | opcode])
    bit = 0x80 if masked else 0
    if len(data) < 126:
        head.append(bit | len(data))
    elif len(data) < 1 << 16:
        head += bytes([bit | 126]) + len(data).to_bytes(2, "big")
    else:
        head += bytes([bit | 127]) + len(data).to_bytes(8, "big")
    if masked:
        mask = b"\x37\xfa\x21\x3d"
        head += mask
        data = bytes(byte ^ mask[place % 4] for place, byte in enumerate(data))
    return bytes(head) + data


def request(path: str = f"/ocpp/{STATION}") -> bytes:
    return (
        f"GET {path} HTTP/1.1\r\nHost: csms.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Protocol: ocpp1.6, ocpp2.0.1\r\n\r\n"
    ).encode()


def response(version: str = "ocpp1.6", status: str = "101 Switching Protocols") -> bytes:
    return (
        f"HTTP/1.1 {status}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Protocol: {version}\r\n\r\n"
    ).encode()


def websocket(lines: Sequence[Line], *, size: int = 1460, handshake: bool = True, rsv: int = 0) -> Wire:
    """Write a conversation as a WebSocket connection, with a ping here and there and one message in two frames."""
    wire = Wire()
    version = "ocpp2.0.1" if any("chargingStation" in line.frame for line in lines) else "ocpp1.6"
    if handshake:
        wire.send(0.01, request(), up=True, size=size).send(0.02, response(version), up=False, size=size)
    else:
        del wire.packets[:]
    for place, line in enumerate(lines):
        up = line.way == UP
        if place % 3 == 1:
            wire.send(line.after, ws_frame(b"p", masked=up, opcode=9), up=up)
        if place == 4:
            half = len(line.frame) // 2
            first = ws_frame(line.frame[:half], masked=up, final=False, rsv=rsv)
            data = first + ws_frame(line.frame[half:], masked=up, opcode=0)
        else:
            data = ws_frame(line.frame, masked=up, rsv=rsv)
        wire.send(line.after, data, up=up, size=size)
    return wire


def mqtt_packet(kind: int, body: bytes) -> bytes:
    length, size = bytearray(), len(body)
    while True:
        size, low = divmod(size, 128)
        length.append(low | (0x80 if size else 0))
        if not size:
            return bytes([kind]) + bytes(length) + body


def connect(level: int = 4) -> bytes:
    tail = b"\x00" if level == 5 else b""
    return mqtt_packet(0x10, b"\x00\x04MQTT" + bytes([level, 2, 0, 60]) + tail + b"\x00\x02gw")


def publish(topic: str, payload: str, *, qos: int = 0, dup: bool = False, level: int = 4) -> bytes:
    name = topic.encode()
    body = len(name).to_bytes(2, "big") + name + (b"\x00\x07" if qos else b"")
    if level == 5:
        body += b"\x05\x09\x00\x02{}"
    return mqtt_packet(0x30 | qos << 1 | dup << 3, body + payload.encode())


def emqx(frame: list[Any]) -> str:
    names = {
        2: ("MessageTypeId", "UniqueId", "Action", "Payload"),
        3: ("MessageTypeId", "UniqueId", "Payload"),
        4: ("MessageTypeId", "UniqueId", "ErrorCode", "ErrorDescription"),
    }[frame[0]]
    return json.dumps(dict(zip(names, frame, strict=False)))


def maeve(frame: list[Any]) -> str:
    names = {
        2: ("type", "id", "action", "request"),
        3: ("type", "id", "response"),
        4: ("type", "id", "error_code", "error_description"),
    }[frame[0]]
    return json.dumps(dict(zip(names, frame, strict=False)))


def topics(dialect: str, frame: list[Any], *, up: bool, version: str) -> str:
    match dialect:
        case "raw":
            return f"{STATION}/{'in' if up else 'out'}"
        case "emqx":
            if not up:
                return f"ocpp/cs/{STATION}"
            return f"ocpp/cp/{STATION}" + ("" if frame[0] == 2 else "/Reply")
        case _:
            return f"cs/{'in' if up else 'out'}/{version}/{STATION}"


def mqtt(lines: Sequence[Line], dialect: str, *, level: int = 4) -> Wire:
    """Write a conversation as a gateway's connection to a broker: it publishes up, and is given what goes down."""
    wire = Wire().send(0.01, connect(level), up=True).send(0.02, b"\x20\x02\x00\x00", up=False)
    version = "ocpp2.0.1" if any("chargingStation" in line.frame for line in lines) else "ocpp1.6"
    writers: dict[str, Callable[[list[Any]], str]] = {"raw": json.dumps, "emqx": emqx, "maeve": maeve}
    write = writers[dialect]
    for line in lines:
        up, frame = line.way == UP, json.loads(line.frame)
        topic = topics(dialect, frame, up=up, version=version)
        data = publish(topic, write(frame), level=level, qos=1 if place_is_odd(line) else 0)
        wire.send(line.after, data, up=up)
    return wire


def place_is_odd(line: Line) -> bool:
    return len(line.frame) % 2 == 1


def as_bytes(packets: Iterable[Packet], link: int = 1, *, six: bool = False) -> list[tuple[float, bytes]]:
    """Wrap segments into packets of a link layer."""
    found = []
    for packet in packets:
        source, target = (CLIENT, SERVER) if packet.up else (SERVER, CLIENT)
        tcp = dpkt.tcp.TCP(
            sport=source[1], dport=target[1], seq=packet.seq, ack=packet.ack, flags=packet.flags, data=packet.data
        )
        addresses = [bytes(12) + bytes(map(int, place[0].split("."))) for place in (source, target)]
        ip: Any
        if six:
            ip = dpkt.ip6.IP6(src=addresses[0], dst=addresses[1], nxt=6, data=tcp, plen=len(tcp))
        else:
            ip = dpkt.ip.IP(src=addresses[0][12:], dst=addresses[1][12:], p=6, data=tcp)
            ip.len = len(ip)
        kind = dpkt.ethernet.ETH_TYPE_IP6 if six else dpkt.ethernet.ETH_TYPE_IP
        found.append((START.timestamp() + packet.after, _wrapped(bytes(ip), kind, link)))
    return found


def _wrapped(packet: bytes, kind: int, link: int) -> bytes:
    match link:
        case 0:
            return b"\x02\x00\x00\x00" + packet
        case 1:
            return bytes(12) + kind.to_bytes(2, "big") + packet
        case 113:
            return bytes(14) + kind.to_bytes(2, "big") + packet
        case 276:
            return kind.to_bytes(2, "big") + bytes(18) + packet
        case _:
            return packet


def write_capture(path: Path, packets: Iterable[Packet], *, link: int = 1, ng: bool = False, six: bool = False) -> Path:
    with path.open("wb") as file:
        if ng:
            block = dpkt.pcapng.InterfaceDescriptionBlockLE(linktype=link)
            writer = dpkt.pcapng.Writer(file, idb=block)
        else:
            writer = dpkt.pcap.Writer(file, linktype=link)
        for at, data in as_bytes(packets, link, six=six):
            writer.writepkt(data, ts=at)
    return path
