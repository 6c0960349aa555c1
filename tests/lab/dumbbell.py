"""The network that most of the lab's tests use: two hosts, and a narrow link between their routers.

    a 10.1.0.1 ---- r1 ==== narrow ==== r2 ---- 10.2.0.2 b
    |                                                    |
    10.9.1.1 ---------------- m (master) ---------- 10.9.2.1

The routers reach m by cables of their own, as 10.9.3.1 and 10.9.4.1.  Each of a, b, r1, r2, m is a network namespace: of this machine's kernel or of a user-mode Linux
machine, whichever the function `run` runs its words in.  What is narrow is so both ways, each with
a queue of its own; the delay is behind it, half of the round trip on each way.  Loss strikes behind
the queue, on the way from a to b.  Packets pass as they are on a wire: nothing is merged or
segmented late.
"""

import json

NAMESPACES = ("a", "r1", "r2", "b", "m")
MGMT_PORT = 8840
HOSTS = {
    "A": {"mgmt": f"10.9.1.1:{MGMT_PORT}", "host": "10.1.0.1"},
    "B": {"mgmt": f"10.9.2.1:{MGMT_PORT}", "host": "10.2.0.2"},
}
# Hosts without flows, whose queues are recorded; to be added where an agent runs.
ROUTERS = {
    "R1": {"mgmt": f"10.9.3.1:{MGMT_PORT}", "host": "10.3.0.1", "sample": True},
    "R2": {"mgmt": f"10.9.4.1:{MGMT_PORT}", "host": "10.3.0.2", "sample": True},
}
#        namespace, device, address; namespace, device, address
CABLES = (
    ("a", "test", "10.1.0.1", "r1", "hosts", "10.1.0.254"),
    ("r1", "narrow", "10.3.0.1", "r2", "narrow", "10.3.0.2"),
    ("r2", "hosts", "10.2.0.254", "b", "test", "10.2.0.2"),
    ("a", "mgmt", "10.9.1.1", "m", "toa", "10.9.1.254"),
    ("b", "mgmt", "10.9.2.1", "m", "tob", "10.9.2.254"),
    ("r1", "mgmt", "10.9.3.1", "m", "tor1", "10.9.3.254"),
    ("r2", "mgmt", "10.9.4.1", "m", "tor2", "10.9.4.254"),
)
ROUTES = (
    ("a", "default", "10.1.0.254"),
    ("b", "default", "10.2.0.254"),
    ("r1", "10.2.0.0/24", "10.3.0.2"),
    ("r2", "10.1.0.0/24", "10.3.0.1"),
)
NARROW = (("r1", "narrow"), ("r2", "narrow"))  # towards b, towards a


class Dumbbell:
    """Built by its construction; namespaces are named PREFIX + a, b, r1, r2, m."""

    def __init__(self, run, prefix=""):
        self.run, self.prefix = run, prefix
        self.shaped = False
        for name in NAMESPACES:
            run("ip", "netns", "add", prefix + name)
            self.ip(name, "link", "set", "lo", "up")
        for one, device, address, other, peer, there in CABLES:
            veth = ["type", "veth", "peer", peer, "netns", prefix + other]
            self.ip(one, "link", "add", device, *veth)
            self._plug(one, device, address)
            self._plug(other, peer, there)
        for name, to, via in ROUTES:
            self.ip(name, "route", "add", to, "via", via)
        for router in ("r1", "r2"):
            self.inside(router, "sysctl", "-qw", "net.ipv4.ip_forward=1")

    def _plug(self, name, device, address):
        self.ip(name, "address", "add", f"{address}/24", "dev", device)
        self.inside(name, "ethtool", "-K", device, "tso", "off", "gso", "off", "gro", "off")
        self.ip(name, "link", "set", device, "up")

    def enter(self, name):
        """Words before a command that is to run in a namespace."""
        return ["ip", "netns", "exec", self.prefix + name]

    def inside(self, name, *words):
        return self.run(*self.enter(name), *words)

    def ip(self, name, *words):
        self.run("ip", "-n", self.prefix + name, *words)

    def tc(self, name, *words):
        return self.run("tc", "-n", self.prefix + name, *words)

    # ---- what the link is like ----

    def rate(self, rate, queue=("pfifo", "limit", 100)):
        """The narrow link's rate, such as "50mbit", and the words of its queue."""
        for router, device in NARROW:
            if self.shaped:
                self.tc(router, "qdisc", "delete", "dev", device, "root")
            self.tc(router, "qdisc", "add", "dev", device, "root", "handle", "1:",
                    "htb", "default", 1, "r2q", 100)  # fmt: skip
            self.change_rate(router, "add", rate)
            self.tc(router, "qdisc", "add", "dev", device, "parent", "1:1", "handle", "10:", *queue)
        self.shaped = True

    def change_rate(self, router, verb, rate):
        """Leaves the queue and what is in it."""
        shape = ["htb", "rate", rate, "ceil", rate, "burst", "3k", "cburst", "3k", "quantum", 1514]
        self.tc(router, "class", verb, "dev", "narrow", "parent", "1:", "classid", "1:1", *shape)

    def delay(self, rtt_ms, loss_percent=0):
        """Round trip, and loss on the way from a to b; wants a kernel with netem."""
        for router, loss in (("r1", 0), ("r2", loss_percent)):
            words = ["netem", "delay", f"{rtt_ms / 2}ms", "limit", 100000]
            if loss:
                words += ["loss", f"{loss}%"]
            self.tc(router, "qdisc", "replace", "dev", "hosts", "root", *words)

    def mark(self, one_in):
        """Every so-manieth packet of payload to b that may be marked leaves r1 as CE; wants nft."""
        may = "ip ecn { ect0, ect1 } ip length > 200"
        self._rule(f"{may} numgen inc mod {one_in} 0 counter ip ecn set ce")

    def lose(self, one_in):
        """Every so-manieth packet of payload to b is lost; wants nft."""
        self._rule(f"ip daddr 10.2.0.2 ip length > 200 numgen inc mod {one_in} 0 counter drop")

    def _rule(self, rule):
        self.inside("r1", "nft", "add table ip lab")
        self.inside("r1", "nft", "add chain ip lab way { type filter hook forward priority 0; }")
        self.inside("r1", "nft", "add rule ip lab way " + rule)

    # ---- what the kernel says of it ----

    def queue(self, router="r1"):
        """Statistics of the queue towards b (or a), as `tc -s` has them."""
        shown = json.loads(self.tc(router, "-j", "-s", "qdisc", "show", "dev", "narrow"))
        return next(qdisc for qdisc in shown if qdisc["handle"] == "10:")

    def struck(self):
        """How many packets mark() or lose() has struck."""
        shown = json.loads(self.inside("r1", "nft", "-j", "list", "table", "ip", "lab"))
        rules = (item["rule"] for item in shown["nftables"] if "rule" in item)
        words = (word for rule in rules for word in rule["expr"])
        return sum(word["counter"]["packets"] for word in words if "counter" in word)

    def delete(self):
        for name in NAMESPACES:
            self.run("ip", "netns", "delete", self.prefix + name)


def scenario(*flows, **more):
    """Flows from A to B, five seconds of cubic but for what is given of each."""
    common = {"src": "A", "dst": "B", "duration": "5s", "ccalg": "cubic"}
    numbered = [{"id": i, **common, **flow} for i, flow in enumerate(flows)]
    return {"hosts": HOSTS, "flows": numbered, **more}
