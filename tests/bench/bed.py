"""What the benches share: a network namespace with nothing but loopback, two agents in it, flows between them."""

import contextlib
import os
import re
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = os.environ.get("TCP_FLOWGEN", str(ROOT / "tcp-flowgen"))
PORTS = 8841, 8842
PATIENCE = 10  # s, for an agent to listen


def scenario(flows, seconds):
    """So many from A to B, all at once."""
    hosts = {name: {"mgmt": f"127.0.0.1:{port}", "host": "127.0.0.1"} for name, port in zip("AB", PORTS)}
    flow = {"src": "A", "dst": "B", "duration": f"{seconds}s", "ccalg": "cubic"}
    return {"hosts": hosts, "flows": [{"id": i, **flow} for i in range(flows)]}


@contextlib.contextmanager
def namespace(name):
    """A new one; gives the words before a command that runs there."""
    name = f"tfg-{name}-{os.getpid()}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        subprocess.run(["ip", "-n", name, "link", "set", "lo", "up"], check=True)
        yield ["ip", "netns", "exec", name]
    finally:
        subprocess.run(["ip", "netns", "del", name], check=True)


def listens(process, port):
    tables = (Path(f"/proc/{process.pid}/net/{name}").read_text() for name in ("tcp", "tcp6"))
    return any(re.search(rf":{port:04X} 0+:0000 0A", table) for table in tables)


@contextlib.contextmanager
def agents(before, directory, program=PROGRAM):
    """Both, their command behind the words `before`; they are ended unless the caller has."""
    started = []
    try:
        for port in PORTS:
            words = ["agent", "--listen", f"127.0.0.1:{port}", "--spool", str(directory), "--quiet"]
            started.append(subprocess.Popen([*before, program, *words]))
        deadline = time.monotonic() + PATIENCE
        while not all(map(listens, started, PORTS)):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{program}: no agent listens after {PATIENCE} s")
            time.sleep(0.02)
        yield started
    finally:
        for agent in started:
            if agent.returncode is None:
                agent.terminate()
                agent.wait()
