"""An agent of a version before the clock probe: older_agent.py LISTEN AGENT passes every call on to
the agent that listens at AGENT, but answers Probe as a service that knows no such call.
"""

import sys
import threading
from concurrent import futures

import grpc

PREFIX = "/tcpflowgen.Agent/"
UNARY = {"Hello", "Clock", "Prepare", "Start", "Stop", "Forget", "Shutdown"}
STREAMS = {"Watch", "Collect"}


def finish(context, problem):
    context.abort(problem.code(), problem.details())


class Relay(grpc.GenericRpcHandler):
    def __init__(self, channel):
        self.channel = channel

    def unary(self, path):
        call = self.channel.unary_unary(path)

        def serve(request, context):
            try:
                return call(request)
            except grpc.RpcError as problem:
                finish(context, problem)

        return grpc.unary_unary_rpc_method_handler(serve)

    def stream(self, path):
        call = self.channel.unary_stream(path)

        def serve(request, context):
            replies = call(request)
            context.add_callback(replies.cancel)
            try:
                yield from replies
            except grpc.RpcError as problem:
                finish(context, problem)

        return grpc.unary_stream_rpc_method_handler(serve)

    def service(self, details):
        name = details.method.removeprefix(PREFIX)
        if name in UNARY:
            return self.unary(details.method)
        return self.stream(details.method) if name in STREAMS else None


def main(listen, agent, relay=Relay):
    server = grpc.server(futures.ThreadPoolExecutor(16))
    server.add_generic_rpc_handlers((relay(grpc.insecure_channel(agent)),))
    server.add_insecure_port(listen)
    server.start()
    threading.Event().wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
