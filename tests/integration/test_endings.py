"""How flows end: what became of them is what became of their bytes, whatever the network does to the
last packets."""

from harness import COMPLETE, END_COMPLETE, FAILED, moment, run
from test_accounts import agents, check_complete, scenario

RTT_MS = 200

# From the first FIN on the dst end's first words are lost on their way: three packets of 52 bytes,
# acknowledgements and a FIN.
LOST = """
table inet t {
    set ended { type inet_service; size 64; flags dynamic; }
    chain in { type filter hook input priority 0; iifname line tcp flags & fin == fin update @ended { tcp dport }; }
    chain out {
        type filter hook output priority 0;
        oifname line tcp sport @ended tcp flags & rst == 0 quota until 180 bytes drop;
    }
}
"""


def time_wait(*places):
    """Sockets in TIME_WAIT on the flows' addresses."""
    lines = [run(*where.enter(), "ss", "-Htan", "state", "time-wait") for where in places]
    return sum(line.count("10.9.0.1:") for line in "".join(lines).splitlines())


def short_run(lab, figure, near, lost):
    """Both ends know that all arrived.  Returns how long after dst the src end did."""
    outcome = lab.run(near, scenario({"duration": "500ms", "send_rate": "2Mbit/s"})).must(0)
    (flow,) = outcome.flows
    src, dst = flow.result.src, flow.result.dst
    assert (src.status, dst.status) == (END_COMPLETE, END_COMPLETE), (src.error, dst.error)
    check_complete(flow)
    late_ms = (moment(src, "closed") - moment(dst, "closed")) / 1e6
    figure(f"{lost} last packets of dst are lost", "complete", "complete",
           f"src knows {late_ms:.0f} ms later")  # fmt: skip
    return late_ms


def test_the_last_acknowledgements_are_lost(lab, figure):
    """The dst end has all, its agent is done with the run, and the src end does not know yet."""
    near, far = lab.delay_line(RTT_MS // 2)
    agents(lab, near, far)
    late_ms = short_run(lab, figure, near, 0)
    # Its reset came while dst's agent still waited for it, unless the line was held up.
    assert time_wait(near, far) == 0 or late_ms > RTT_MS
    run(*far.enter(), "nft", LOST)
    assert short_run(lab, figure, near, 3) > RTT_MS, "nothing was lost"


def test_nothing_gets_across(pair):
    """Connections stand, and what carries payload is dropped."""
    rules = "table inet t { chain c { type filter hook input priority 0; RULE }; }"
    rule = "ip daddr 127.0.0.2 tcp dport 1024-65535 meta length > 100 drop;"
    run(*pair.where.enter(), "nft", rules.replace("RULE", rule))
    outcome = pair.run({"end": "abort", "duration": "200ms"}).must(1)
    (flow,) = outcome.flows
    assert flow.result.dst.payload_bytes == 0 < flow.result.src.payload_bytes
    assert flow.result.status == FAILED
    assert flow.result.error == (
        f"no payload got across: {flow.result.src.payload_bytes} bytes were written, and none came"
    )
    run(*pair.where.enter(), "nft", "flush ruleset")
    (flow,) = pair.run({"end": "abort", "duration": "200ms"}).must(0).flows
    assert flow.result.status == COMPLETE
