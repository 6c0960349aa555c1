"""The bed for everything about clocks: do the machines' clocks do what they are told?"""

import time

from harness import COMPLETE

SECOND = 1_000_000_000


def test_clocks_obey(lab, two_machines):
    """Set apart, they stay so; detuned, they drift as asked; stepped, one clock moves."""
    a, b = two_machines.a, two_machines.b
    two_machines.set_apart(3.7)
    b.drift(200)
    before = {machine: machine.ahead() for machine in (a, b)}
    apart = before[b].realtime - before[a].realtime
    assert abs(apart - 3.7 * SECOND) < 0.1 * SECOND

    agents = [a.agent(), b.agent()]
    two_machines.shape("20mbit")
    outcome = lab.run(two_machines.where, two_machines.scenario({"duration": "3s"})).must(0)
    assert outcome.flows[0].result.status == COMPLETE
    for machine, pid in zip((a, b), agents):
        assert machine.stop(pid) == 0
    time.sleep(1)

    for machine, ppm in ((a, 0), (b, 200)):
        then, now = before[machine], machine.ahead()
        passed = now.at - then.at
        for clock in ("monotonic", "realtime"):
            moved = getattr(now, clock) - getattr(then, clock)
            # 1 ppm for what this machine's own clock is being corrected by meanwhile.
            margin = then.error + now.error + passed // 1_000_000
            assert abs(moved - passed * ppm // 1_000_000) <= margin, f"{clock}, {ppm} ppm"

    then = b.ahead()
    b.step(3600)
    now = b.ahead()
    margin = SECOND // 10
    assert abs(now.realtime - then.realtime - 3600 * SECOND) < margin
    assert abs(now.monotonic - then.monotonic) < margin
