"""Who gets what an agent was asked to send, a line of JSON for each thing that comes.

usage: bystander.py sink ADDRESS PORT...   listens there: [port, bytes of a connection in hexadecimal]
       bystander.py syns INTERFACE         SYNs that come by it: [address, port] that they ask for
"""

import json
import socket
import struct
import sys
import threading

ETH_P_ALL = 3
OUTGOING = 4
SYN, ACK = 2, 16
lock = threading.Lock()


def tell(*what):
    with lock:
        print(json.dumps(what), flush=True)


def take_all(server, port):
    while True:
        client, _ = server.accept()
        client.settimeout(0.3)
        got = b""
        try:
            while data := client.recv(4096):
                got += data
                client.sendall(b"-ERR unknown command\r\n")
        except OSError:  # it is gone, or has no more to say
            pass
        tell(port, got.hex())
        client.close()


def sink(address, *ports):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    for port in map(int, ports):
        server = socket.socket(family, socket.SOCK_STREAM)
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind((address, port))
        server.listen(100)
        threading.Thread(target=take_all, args=(server, port)).start()


def syns(interface):
    raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
    raw.bind((interface, 0))
    tell("ready")
    while True:
        frame, (_, _, kind, _, _) = raw.recvfrom(2048)
        if kind == OUTGOING or frame[12:14] != b"\x08\x00" or frame[23] != socket.IPPROTO_TCP:
            continue
        tcp = frame[14 + (frame[14] & 15) * 4 :]
        if tcp[13] & (SYN | ACK) == SYN:
            tell(socket.inet_ntoa(frame[30:34]), *struct.unpack("!H", tcp[2:4]))


if __name__ == "__main__":
    {"sink": sink, "syns": syns}[sys.argv[1]](*sys.argv[2:])
