"""A client that knows agent.proto and nothing else, and says it by protocol.py.

usage: consent_stranger.py < REQUEST

REQUEST is JSON, a list of calls, each [address, "Prepare", {fields}] or another method.  In Prepare
`ends` may be {"count": N, fields}: N ends, which differ in their flow, and with "ports" in the ports
from peer_port on, in pieces of 2000.  "port_of": I is the port that the answer to call I told.
Prints a line of JSON for each call, or piece of it: [code, {text of an answer's end: how often}] or
[code, text].
"""

import collections
import json
import sys

import protocol
from google.protobuf import json_format

PIECE = 2000
TIMEOUT = 60  # s
RUN = "feedbeef" * 4


pb = protocol.load()
ports = []  # that answers told


def expand(ends):
    count, spread = ends.pop("count"), ends.pop("ports", False)
    for i in range(count):
        token = b"FLUSHALL\r\nQUIT\r\n" if ends.get("source") else b"%016d" % i
        end = pb.EndSpec(flow=i, duration_ns=10**9, token=token)
        json_format.ParseDict(ends, end)
        if spread:
            end.peer_port += i
        yield end


def requests(method, fields):
    """The messages of one call, as pieces where it is a Prepare."""
    name = "RunRequest" if method in ("Stop", "Forget") else f"{method}Request"
    ends = list(expand(fields.pop("ends"))) if "ends" in fields else []
    for first in range(0, len(ends) or 1, PIECE):
        message = json_format.ParseDict(fields, getattr(pb, name)())
        message.run = message.run or RUN
        if "secret" in message.DESCRIPTOR.fields_by_name:
            message.secret = bytes(16)
        if method == "Prepare":
            message.flow_key = message.flow_key or bytes(32)
            message.ends_total = message.ends_total or 100_000
            message.ends.extend(ends[first : first + PIECE])
        yield message


def call(address, method, message):
    with protocol.Caller(address) as caller:
        code, text, raw = caller.ask(method, message, TIMEOUT)
    if code != "OK":
        return code, text
    texts = collections.Counter()
    for end in getattr(protocol.reply_of(method, raw), "ends", ()):
        texts[end.error] += 1
        ports.append(end.port)
    return code, texts


for address, method, fields in json.load(sys.stdin):
    if "port_of" in fields.get("ends", {}):
        fields["ends"]["peer_port"] = ports[fields["ends"].pop("port_of")]
    for message in requests(method, fields):
        print(json.dumps(call(address, method, message)), flush=True)
