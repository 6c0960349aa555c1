"""A master as the earlier program had it, on the stock Python gRPC: the witness that agents still
serve it.

usage: earlier_master.py run SCENARIO OUTPUT [--keepalive]
       earlier_master.py call ADDRESS METHOD [FIELD=VALUE ...]

`run` writes a result file and prints a line of JSON for each end: [id, end, kbps, port]; `call`
prints the status and the answer as JSON: ["OK", {"port": 4711}].
"""

import json
import struct
import sys
import tempfile
import time
from pathlib import Path

import grpc
from google.protobuf import json_format
from grpc_tools import protoc

TIMEOUT = 5  # s a call


def compile_protocol():
    """The modules of messages and stubs."""
    with tempfile.TemporaryDirectory() as out:
        words = ["protoc", f"-I{Path(__file__).parent}", f"--python_out={out}"]
        assert protoc.main([*words, f"--grpc_python_out={out}", "earlier.proto"]) == 0
        sys.path.insert(0, out)
        import earlier_pb2
        import earlier_pb2_grpc

        sys.path.remove(out)
        return earlier_pb2, earlier_pb2_grpc


pb, pb_grpc = compile_protocol()


def connect(address):
    options = [("grpc.enable_http_proxy", 0)]
    address = address.replace("localhost", "127.0.0.1")  # gRPC asks name servers, if /etc/hosts is not there
    return pb_grpc.TcpFlowGenStub(grpc.insecure_channel(address, options))


def milliseconds(text):
    for unit, size in (("ms", 1), ("s", 1000)):
        if text.endswith(unit):
            return round(float(text[: -len(unit)]) * size)
    raise ValueError(text)


def params(flow, **more):
    fields = {"id": flow["id"], "src": flow["src"], "dst": flow["dst"]}
    fields["duration"] = milliseconds(flow["duration"])
    fields["start"] = milliseconds(flow.get("start", "0s"))
    fields["ccalg"] = flow.get("ccalg", "")
    return pb.FlowParams(**{**fields, **more})


def run(scenario, output, keepalive):
    scenario = json.loads(Path(scenario).read_text())
    hosts, flows = scenario["hosts"], scenario["flows"]
    agents = {name: connect(host["mgmt"]) for name, host in hosts.items()}
    for agent in agents.values():
        agent.Hello(pb.HelloRequest(), timeout=TIMEOUT)

    ports = {}
    for flow in flows:
        status = agents[flow["dst"]].Listen(params(flow), timeout=TIMEOUT)
        ports[flow["id"]] = status.port
    for flow in flows:
        there = {"dst": hosts[flow["dst"]]["host"], "port": ports[flow["id"]]}
        agents[flow["src"]].StartFlow(params(flow, **there), timeout=TIMEOUT)
    last = max(params(flow).start + params(flow).duration for flow in flows)
    time.sleep(last / 1000 + 0.5)

    with open(output, "wb") as file:
        for flow in flows:
            record = pb.Flow(params=params(flow, port=ports[flow["id"]]))
            for end, rows in (("src", record.TxTCPInfo), ("dst", record.RxTCPInfo)):
                results = agents[flow[end]].GetResults(params(flow), timeout=TIMEOUT)
                rows.extend(results.TCPInfo)
                print(json.dumps([results.id, end, results.kbps, ports[flow["id"]]]))
            data = record.SerializeToString()
            file.write(struct.pack("!I", len(data)) + data)
    for agent in agents.values() if not keepalive else ():
        agent.Shutdown(pb.HelloRequest(), timeout=TIMEOUT)


def call(address, method, *fields):
    request = pb.HelloRequest()
    if method not in ("Hello", "Shutdown"):
        request = pb.FlowParams()
        for name, value in (field.split("=", 1) for field in fields):
            kind = type(getattr(request, name))
            setattr(request, name, kind(value))
    try:
        reply = getattr(connect(address), method)(request, timeout=TIMEOUT)
        print(json.dumps(["OK", json_format.MessageToDict(reply)]))
    except grpc.RpcError as problem:
        print(json.dumps([problem.code().name, problem.details()]))


if __name__ == "__main__":
    command, *words = sys.argv[1:]
    if command == "run":
        run(*words[:2], keepalive="--keepalive" in words)
    else:
        call(*words)
