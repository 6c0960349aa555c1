#!/usr/bin/python3
"""usage: dump RESULTS...: the records of result files as text, a column a line."""

import gzip
import struct
import subprocess
import sys
import tempfile

from google.protobuf import text_format

with tempfile.TemporaryDirectory() as made:
    subprocess.run(["protoc", "-Iproto", f"--python_out={made}", "messages.proto"], check=True)
    sys.path.insert(0, made)
    from messages_pb2 import Flow

for path in sys.argv[1:]:
    data = open(path, "rb").read()
    data = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    while data:
        (size,) = struct.unpack_from("!I", data)
        print(text_format.MessageToString(Flow.FromString(data[4 : 4 + size]), use_short_repeated_primitives=True))
        data = data[4 + size :]
