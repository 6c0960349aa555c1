#!/usr/bin/env python3
"""What scripts/lab does: a dumbbell in user-mode Linux, for a scenario or a shell of the user's."""

import argparse
import contextlib
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import termios
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "integration"))

import uml
from bed import Bed
from dumbbell import HOSTS, NAMESPACES, ROUTERS

EXAMPLE = "examples/lab.json"
HOST_LINES = """\
Hosts in a scenario:
  "A": {"mgmt": "10.9.1.1:8840", "host": "10.1.0.1"}
  "B": {"mgmt": "10.9.2.1:8840", "host": "10.2.0.2"}
and, to have the queues of the narrow link recorded towards B and towards A:
  "R1": {"mgmt": "10.9.3.1:8840", "host": "10.3.0.1", "sample": true}
  "R2": {"mgmt": "10.9.4.1:8840", "host": "10.3.0.2", "sample": true}"""
ABOUT = f"""\
A network in a box: hosts a and b, routers r1 and r2, and a narrow link between these, in a Linux of
its own.  An agent runs on each of the four.  With SCENARIO it is run there, with what follows
it as further options of `tcp-flowgen run`; without, a shell opens.

  scripts/lab --rate 20mbit --rtt 40ms --loss 0.5 {EXAMPLE} -o results.pb.gz
  scripts/lab --queue "fq_codel" {EXAMPLE}
  scripts/lab

{HOST_LINES}

docs/lab.md tells more."""
WELCOME = """
Before a command, the name of where it is to run: a, b (hosts), r1, r2 (routers), m (the master).

  a ss -tin                          the connections of host a
  m tcp-flowgen run SCENARIO -o F    a run
  r1 tc -s qdisc show dev narrow     the queue of the narrow link towards b

The files are your own.  `exit` ends all.
"""


def bits(text):
    """A rate in tc's words, who takes "mbps" for bytes."""
    word = text.lower().removesuffix("/s")
    if not re.fullmatch(r"\d+(\.\d+)?[kmg]?bit", word) or not float(word.rstrip("kmgbit")):
        raise argparse.ArgumentTypeError(f'"{text}" is no rate such as 20mbit, 500kbit or 1.5gbit')
    return word


def memory(text):
    if not re.fullmatch(r"\d+[MG]", text):
        raise argparse.ArgumentTypeError(f'"{text}" is no size such as 512M or 1G')
    return text


def milliseconds(text):
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s)", text)
    if not found:
        raise argparse.ArgumentTypeError(f'"{text}" is no time such as 20ms or 0.2s')
    return float(found[1]) * (1000 if found[2] == "s" else 1)


def percent(text):
    try:
        if 0 <= float(text) <= 100:
            return float(text)
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f'"{text}" is no number from 0 to 100')


def queue(text):
    return ["pfifo", "limit", text] if text.isdigit() else shlex.split(text)


def arguments():
    parser = argparse.ArgumentParser(
        prog="scripts/lab", description=ABOUT, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--rate", type=bits, default="50mbit", help="of the narrow link (50mbit)"
    )
    parser.add_argument(
        "--rtt", type=milliseconds, default="20ms", help="round trip without queues (20ms)"
    )
    parser.add_argument(
        "--queue", type=queue, default="100", metavar="N|QDISC",
        help="before the narrow link: so many packets (100), or a queue discipline in tc's words",
    )  # fmt: skip
    parser.add_argument(
        "--loss", type=percent, default=0, metavar="PERCENT", help="of packets from A to B (0)"
    )
    parser.add_argument("--memory", type=memory, default="512M", help="of the machine (512M)")
    parser.add_argument("scenario", nargs="?", metavar="SCENARIO")
    parser.add_argument("more", nargs=argparse.REMAINDER, metavar="...", help="as of `run`")
    return parser.parse_args()


def follow(path, out):
    """Copies what is new in a file, each time that it is asked."""
    with open(path, "rb") as file:
        while True:
            out.buffer.write(file.read())
            out.flush()
            yield


def run(bed, scenario, more):
    """The exit status of `tcp-flowgen run`, whose output goes where ours does."""
    words = [*bed.net.enter("m"), bed.program, "run", os.path.abspath(scenario), *more]
    log = bed.folder / "master.log"
    at_home = ["env", "-C", os.getcwd()]
    pid = bed.machine.start(*at_home, *words, log=log)
    copy = follow(log, sys.stdout)
    code = None
    while code is None:
        try:
            code = bed.machine.call("wait", pid=pid, timeout=0.2)
        except KeyboardInterrupt:
            bed.machine.call("kill", pid=pid, number=int(signal.SIGINT))
        next(copy)
    next(copy)
    return code


def shell(bed):
    """A shell on the user's terminal, which is the machine's second console."""
    rows, columns = shutil.get_terminal_size()[::-1]
    names = "\n".join(f'{name}() {{ ip netns exec {name} "$@"; }}' for name in NAMESPACES)
    start = f"""
stty rows {rows} cols {columns} </dev/tty1
export TERM={shlex.quote(os.environ.get("TERM", "dumb"))}
export PATH={shlex.quote(str(bed.program.parent))}:$PATH
cd {shlex.quote(os.getcwd())}
PS1='lab# '
{names}
cat <<'END'
{WELCOME}
END
"""
    startup = bed.folder / "startup"
    startup.write_text(start)
    bash = shlex.join(["bash", "--rcfile", str(startup), "-i"])
    command = f"exec setsid -c {bash} </dev/tty1 >/dev/tty1 2>&1"
    pid = bed.machine.start("sh", "-c", command, log=bed.folder / "shell.log")
    code = None
    while code is None:
        code = bed.machine.call("wait", pid=pid, timeout=1)
    return code


@contextlib.contextmanager
def terminal():
    """What makes our terminal a machine's second console; later it is put in order again."""
    fd = os.dup(sys.stdin.fileno())  # 0 is taken, in the machine's process
    before = termios.tcgetattr(fd)
    try:
        yield {"more": [f"con1=fd:{fd},fd:{fd}"], "descriptors": (fd,)}
    finally:
        termios.tcsetattr(fd, termios.TCSADRAIN, before)


def check_scenario(name):
    """Ends this with what is wrong with it, before the machine boots: as `plan` says it, or hosts
    that no agent of the lab is on."""
    words = [Bed.program, "plan", "--json", os.path.abspath(name)]
    done = subprocess.run(words, stdout=subprocess.PIPE)
    if done.returncode:
        sys.exit(done.returncode)
    agents = {host["mgmt"] for host in (HOSTS | ROUTERS).values()}
    for host, about in json.loads(done.stdout)["hosts"].items():
        if about["mgmt"] not in agents:
            problem = f'host {host}: the lab has no agent "{about["mgmt"]}"'
            sys.exit(f"scripts/lab: {name}: {problem}\n\n{HOST_LINES}")


def shape(net, options):
    try:
        net.rate(options.rate, options.queue)
        net.delay(options.rtt, options.loss)
    except AssertionError as problem:  # what tc says
        sys.exit(f"scripts/lab: such a link cannot be made: {problem}")


def tell(text):
    print(f"lab: {text}", file=sys.stderr, flush=True)


@contextlib.contextmanager
def telling_that_it_boots(every=10):
    """Says so at once, and again while it lasts; then how long it took."""
    begin, over = time.monotonic(), threading.Event()

    def passed():
        return time.monotonic() - begin

    def go_on():
        while not over.wait(every):
            tell(f"still boots, after {passed():.0f} s")

    tell("boots a machine, which takes some seconds")
    teller = threading.Thread(target=go_on, daemon=True)
    teller.start()
    try:
        yield
    finally:
        over.set()
        teller.join()
    tell(f"ready after {passed():.1f} s")


def main():
    """Without a traceback, whatever becomes of the machine."""
    try:
        return work(arguments())
    except KeyboardInterrupt:
        return 130
    except (AssertionError, EOFError, OSError, RuntimeError, subprocess.SubprocessError) as problem:
        return f"scripts/lab: the machine failed: {problem}"


def work(options):
    if options.scenario:
        check_scenario(options.scenario)
    if uml.why_not():
        sys.exit(f"scripts/lab: {uml.why_not()}")
    if not options.scenario and not sys.stdin.isatty():
        sys.exit("scripts/lab: a shell needs a terminal; otherwise give a SCENARIO")
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="tfg-lab."))
        console = {} if options.scenario else stack.enter_context(terminal())
        with telling_that_it_boots():
            bed = Bed(folder, options.memory, **console)
            stack.callback(bed.close)
            for router in ROUTERS:
                bed.agent(router)
            shape(bed.net, options)
        return run(bed, options.scenario, options.more) if options.scenario else shell(bed)


if __name__ == "__main__":
    sys.exit(main())
