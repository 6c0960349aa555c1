"""Plays one stranger: stranger.py NAME USER STUBS PREY, as that user (a number), where STUBS is a folder
that protocol.generate() filled, and PREY a Prey as JSON.

Ends with 0 if the stranger got nothing that it must not have; else a traceback tells.
"""

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "integration"))

import strange_calls
import strange_connections
import strange_traffic


@dataclass
class Prey:
    """What a stranger knows of whom it is after: what may be found out from outside."""

    host: str  # of the agent's management
    port: int
    source: str = ""  # where the stranger's own connections come from
    run: str = ""  # the victim's
    data_ports: tuple = ()  # of its flows
    probe_port: int = 0
    third: str = ""  # a host that has no part in it
    towards_third: str = ""  # the agent's address on the way there
    times: int = 1  # that the sizes of floods are multiplied by

    @property
    def address(self):
        return f"{self.host}:{self.port}"


def become(user):
    """Whatever is to be read as root is read before."""
    import agent_pb2  # noqa: F401
    import grpc  # noqa: F401

    if user:
        os.setgroups([])
        os.setgid(user)
        os.setuid(user)


def main():
    name, user, stubs, prey = sys.argv[1:]
    sys.path.append(stubs)
    become(int(user))
    for module in (strange_calls, strange_connections, strange_traffic):
        if play := getattr(module, name, None):
            return play(Prey(**json.loads(prey)))
    raise SystemExit(f"no such stranger: {name}")


main()
