"""Stands before an agent and stops it at a chosen call.  relay.py PORT TARGET CALL PID [SECONDS TIMES]

listens on 127.0.0.1 at PORT, passes on what comes to TARGET and back, and sends SIGSTOP to PID just
before the first call of that name reaches it: gRPC names a call in full when it is made first.  With
SECONDS it is sent SIGCONT then, and only so many TIMES in all.
"""

import os
import signal
import socket
import sys
import threading
import time


class Stopper:
    """Stops the agent at the first call of each connection."""

    def __init__(self, call, pid, seconds=None, times=None):
        self.word = f"/tcpflowgen.Agent/{call}".encode()
        self.pid, self.seconds, self.times = pid, seconds, times

    def sees(self, data):
        if self.word not in data or self.times == 0:
            return False
        os.kill(self.pid, signal.SIGSTOP)
        if self.seconds is not None:
            self.times -= 1
            threading.Thread(target=self.release, daemon=True).start()
        return True

    def release(self):
        time.sleep(self.seconds)
        os.kill(self.pid, signal.SIGCONT)


def pump(source, sink, stopper=None):
    with source, sink:
        while data := source.recv(1 << 16):
            if stopper and stopper.sees(data):
                stopper = None
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)


def quietly(*arguments):
    try:
        pump(*arguments)
    except OSError:
        pass


def main():
    port, target, call, pid, *limits = sys.argv[1:]
    limited = (float(limits[0]), int(limits[1])) if limits else ()
    stopper = Stopper(call, int(pid), *limited)
    with socket.create_server(("127.0.0.1", int(port))) as server:
        while True:
            client, _ = server.accept()
            agent = socket.create_connection(("127.0.0.1", int(target)))
            for arguments in (client, agent, stopper), (agent, client):
                threading.Thread(target=quietly, args=arguments, daemon=True).start()


if __name__ == "__main__":
    main()
