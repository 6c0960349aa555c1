"""Stands before an agent and stops it at a chosen call.  relay.py PORT TARGET CALL PID

listens on 127.0.0.1 at PORT, passes on what comes to TARGET and back, and sends SIGSTOP to PID just
before the first call of that name reaches it: gRPC names a call in full when it is made first.
"""

import os
import signal
import socket
import sys
import threading


def pump(source, sink, word=None, pid=0):
    with source, sink:
        while data := source.recv(1 << 16):
            if word and word in data:
                os.kill(pid, signal.SIGSTOP)
                word = None
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)


def quietly(*arguments):
    try:
        pump(*arguments)
    except OSError:
        pass


def main():
    port, target, call, pid = sys.argv[1:]
    word = f"/tcpflowgen.Agent/{call}".encode()
    with socket.create_server(("127.0.0.1", int(port))) as server:
        while True:
            client, _ = server.accept()
            agent = socket.create_connection(("127.0.0.1", int(target)))
            for arguments in (client, agent, word, int(pid)), (agent, client):
                threading.Thread(target=quietly, args=arguments, daemon=True).start()


if __name__ == "__main__":
    main()
