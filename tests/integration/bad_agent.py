"""An agent that is broken, or means ill: bad_agent.py WAY LISTEN AGENT passes every call on to the
agent that listens at AGENT, but of what that one answers,

flood   a record of samples comes again and again, without end
count   a record of samples says that it has two thousand million rows
early   the stream ends without the spool's end
endless what comes instead of the spool's end is heartbeats
words   Hello has five thousand problems, the first of which would act on a terminal
reset   the report of an end says that the connection was reset
"""

import sys
import time

import older_agent
from impostor import field

OFFSET, RECORDS, NEXT_OFFSET = 1, 2, 3  # of WatchReply
SAMPLES, REPORT, RUN_END = 3, 5, 6  # of SpoolRecord
COUNT = 1  # of Columns
STATUS, ERROR, FAILED = 1, 2, 4  # of EndReport
PROBLEMS = 12  # of HelloReply
FRAME = 8  # bytes of a spool before each record
WORDS = "\x1b[2J\x1b]0;gotcha\x07 \x9b31m \u202eesrever\u2066 \u2028 words"


def read_varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        shift += 7
        at += 1
        if data[at - 1] < 0x80:
            return value, at


def fields(data):
    """(number, value) of each field; there are varints and bytes alone in what is looked at."""
    at = 0
    while at < len(data):
        tag, at = read_varint(data, at)
        value, at = read_varint(data, at)
        if tag & 7 == 2:
            value, at = data[at : at + value], at + value
        yield tag >> 3, value


def message(pairs):
    return b"".join(field(number, value) for number, value in pairs)


def changed(data, number, change):
    """The message with another value in a field."""
    return message((n, change(value) if n == number else value) for n, value in fields(data))


def fail(report):
    kept = [pair for pair in fields(report) if pair[0] not in (STATUS, ERROR)]
    return message([(STATUS, FAILED), (ERROR, "connection reset by the peer"), *kept])


SPOILT = {
    "count": (SAMPLES, lambda samples: changed(samples, COUNT, lambda _: 2**31 - 1)),
    "reset": (REPORT, fail),
}


class BadAgent(older_agent.Relay):
    way = None

    def spoil(self, records):
        """The records as they are sent."""
        kind, change = SPOILT.get(self.way, (None, None))
        for record in records:
            numbers = dict(fields(record))
            if self.way in ("early", "endless") and RUN_END in numbers:
                return
            yield changed(record, kind, change) if kind in numbers else record
            while self.way == "flood" and SAMPLES in numbers:
                yield record

    def replies(self, replies):
        """In a spool of our own, whose records begin where the last one ended."""
        at = 0
        for reply in replies:
            batch, begin = [], at
            for record in self.spoil([v for n, v in fields(reply) if n == RECORDS]):
                batch.append(record)
                at += FRAME + len(record)
                if len(batch) == 1000:
                    yield message([(OFFSET, begin), *((RECORDS, r) for r in batch), (NEXT_OFFSET, at)])
                    batch, begin = [], at
            yield message([(OFFSET, begin), *((RECORDS, r) for r in batch), (NEXT_OFFSET, at)])
        while self.way == "endless":
            time.sleep(0.2)
            yield message([(OFFSET, at), (NEXT_OFFSET, at)])

    def stream(self, path):
        handler = super().stream(path)
        passed_on = handler.unary_stream
        return handler._replace(unary_stream=lambda *call: self.replies(passed_on(*call)))

    def unary(self, path):
        handler = super().unary(path)
        if not path.endswith("Hello") or self.way != "words":
            return handler
        problems = [WORDS, *(f"problem {i}" for i in range(4999))]
        more = message((PROBLEMS, problem) for problem in problems)
        passed_on = handler.unary_unary
        return handler._replace(unary_unary=lambda *call: passed_on(*call) + more)


if __name__ == "__main__":
    BadAgent.way = sys.argv[1]
    older_agent.main(*sys.argv[2:], BadAgent)
