"""What may listen where an agent is expected.  impostor.py WAY PORT listens on 127.0.0.1 and

silent    accepts and says nothing
garbage   says what is no HTTP/2
web       says what web servers do, by HTTP/1
foreign   answers Hello as an agent of the protocol version before
mute      answers Hello as an agent would, then nothing more
dying     answers Hello as an agent would, and is gone
"""

import os
import re
import socket
import struct
import sys
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HEADER = (ROOT / "src/rpc/service.h").read_text()
PROTOCOL = int(re.search(r"AGENT_PROTOCOL (\d+)", HEADER)[1])
DATA, HEADERS, SETTINGS, PING = 0, 1, 4, 6  # frames
END_STREAM, END_HEADERS, ACK = 1, 4, 1  # flags


def field(number, value):
    """One field of a protobuf message."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def varint(value):
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out) + bytes([value])


def hello_reply(protocol):
    address = field(1, "127.0.0.2") + field(2, "127.0.0.2") + field(3, "lo")
    host = field(1, "B") + field(2, address)
    fields = {1: protocol, 2: "9.9", 3: "0" * 32, 9: 250_000_000, 11: host, 14: 1000, 16: 1 << 40}
    return b"".join(field(number, value) for number, value in fields.items())


def frame(kind, flags, stream, payload=b""):
    return struct.pack("!I", len(payload))[1:] + struct.pack("!BBI", kind, flags, stream) + payload


def headers(*pairs):
    """HPACK literals, nothing indexed."""
    out = b""
    for name, value in pairs:
        out += b"\0" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()
    return out


def answer(stream, message):
    """A whole gRPC reply."""
    status = headers((":status", "200"), ("content-type", "application/grpc"))
    body = b"\0" + struct.pack("!I", len(message)) + message
    trailers = headers(("grpc-status", "0"))
    return (
        frame(HEADERS, END_HEADERS, stream, status)
        + frame(DATA, 0, stream, body)
        + frame(HEADERS, END_HEADERS | END_STREAM, stream, trailers)
    )


def serve(client, way):
    client.sendall(frame(SETTINGS, 0, 0))
    stream = client.makefile("rb")
    stream.read(len("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"))
    answered = False
    while head := stream.read(9):
        length = int.from_bytes(head[:3], "big")
        kind, flags, number = struct.unpack("!BBI", head[3:])
        payload = stream.read(length)
        if kind == SETTINGS and not flags & ACK:
            client.sendall(frame(SETTINGS, ACK, 0))
        elif kind == PING and not flags & ACK:
            client.sendall(frame(PING, ACK, 0, payload))
        elif kind == DATA and flags & END_STREAM and not answered:
            answered = True
            protocol = PROTOCOL - 1 if way == "foreign" else PROTOCOL
            client.sendall(answer(number, hello_reply(protocol)))
            if way == "dying":
                time.sleep(0.05)
                os._exit(0)


def receive(client, way):
    if way == "silent":
        time.sleep(60)
    elif way == "garbage":
        client.sendall(b"220 mail.example ESMTP\r\n" * 100)
        time.sleep(60)
    elif way == "web":
        client.recv(1000)
        client.sendall(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
        client.close()
    else:
        serve(client, way)


def main():
    way, port = sys.argv[1], int(sys.argv[2])
    with socket.create_server(("127.0.0.1", port)) as server:
        while True:
            client, _ = server.accept()
            threading.Thread(target=receive, args=(client, way), daemon=True).start()


if __name__ == "__main__":
    main()
