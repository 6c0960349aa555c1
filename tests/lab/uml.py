"""User-mode Linux: a whole kernel as a process, with every queue discipline and congestion control.

A machine boots in some two seconds.  Its root is this machine's own file system, as the user who
boots it: programs are here and there under one name, and what one writes the other reads.
The network, the clocks and the kernel are its own.  It has one CPU.
"""

import contextlib
import functools
import json
import os
import platform
import select
import shlex
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
PYTHON = "/usr/bin/python3"
KERNEL = "linux.uml"
BOOT_LIMIT = 60  # s
MARK = "\x02"  # of inside/remote.py


@functools.cache
def why_not():
    """None, or why there can be no such machine here."""
    if platform.machine() != "x86_64":
        return f"user-mode Linux is for amd64, this is {platform.machine()}"
    for program in (KERNEL, "busybox", "ip", "tc"):
        if shutil.which(program) is None:
            return f"{program} is not installed (scripts/install-deps lab)"
    return None


def command_line(folder, memory, name, more=()):
    """The words that boot a machine, which then runs the file `command` in the folder."""
    words = ["setpriv", "--pdeathsig", "TERM", KERNEL, f"mem={memory}"]
    words += ["rootfstype=hostfs", "rootflags=/", "rw"]
    words += [f"init={HERE / 'init'}", f"umid={name}", f"uml_dir={folder}/"]
    words += ["con=null", "con0=fd:0,fd:1", "ssl=null", "quiet", "loglevel=0"]
    return [*words, *more, f"LAB_DIR={folder}", f"LAB_NAME={name}"]


@functools.cache
def urgently():
    """Words that start a command before all else that wants the CPUs, where that is allowed: for
    tests that are not about how busy the machine is with other things."""
    words = ("chrt", "--fifo", "10")
    allowed = subprocess.run([*words, "true"], capture_output=True).returncode == 0
    return words if allowed else ()


def large_state():
    """Whether the processor has more state than user-mode Linux 6.1 can restore (see xstate.c)."""
    with open("/proc/cpuinfo") as file:
        return any("amx_tile" in line for line in file if line.startswith("flags"))


def environment(folder):
    """The variables that a machine is started with."""
    if not large_state():
        return os.environ
    shim = folder / "xstate.so"
    build = ["cc", "-O2", "-shared", "-fPIC", "-D_GNU_SOURCE", "-o", shim, HERE / "xstate.c"]
    subprocess.run(build, check=True)
    return {**os.environ, "LD_PRELOAD": str(shim)}


class Machine:
    """One that does as it is told, until it is halted or this process ends."""

    def __init__(self, memory="512M", name="lab", more=(), before=(), descriptors=()):
        """more: words for its kernel.  before: words that its command begins with.
        descriptors: those of this process that it shall have too."""
        self.folder = Path(tempfile.mkdtemp(prefix="tfg-uml."))
        remote = shlex.join([PYTHON, str(HERE / "inside" / "remote.py")])
        (self.folder / "command").write_text(f"exec {remote}\n")
        self.log = self.folder / "log"
        with open(self.log, "wb") as log:
            self.popen = subprocess.Popen(
                [*before, *command_line(self.folder, memory, name, more)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=environment(self.folder),
                start_new_session=True,
                pass_fds=descriptors,
            )
        self.unread = b""
        try:
            self._reply(BOOT_LIMIT)
        except BaseException:
            self.halt()
            raise

    def _line(self, deadline):
        while b"\n" not in self.unread:
            left = deadline - time.monotonic()
            ready, _, _ = select.select([self.popen.stdout], [], [], max(left, 0))
            if not ready:
                raise TimeoutError("the machine does not answer")
            more = os.read(self.popen.stdout.fileno(), 1 << 16)
            if not more:
                text = self.log.read_text(errors="replace") if self.log.exists() else ""
                raise EOFError(f"the machine has ended\n{text}")
            self.unread += more
        line, _, self.unread = self.unread.partition(b"\n")
        return line.decode(errors="replace")

    def _reply(self, timeout):
        deadline = time.monotonic() + timeout
        while True:
            _, marked, text = self._line(deadline).partition(MARK)
            if marked:
                return json.loads(text)

    def call(self, name, allow=60, **words):
        """One of the functions of inside/remote.py; allows it so many seconds."""
        self.popen.stdin.write(json.dumps([name, words]).encode() + b"\n")
        self.popen.stdin.flush()
        reply = self._reply(allow)
        if "problem" in reply:
            raise RuntimeError(f"{name} {words}: {reply['problem']}")
        return reply["value"]

    def run(self, *argv, timeout=60, code=0):
        """The output of a command; fails if its exit status is another than code (None: any)."""
        argv = [str(word) for word in argv]
        done = self.call("run", timeout + 10, argv=argv, timeout=timeout)
        if code is not None and done["code"] != code:
            raise AssertionError(
                f"{shlex.join(argv)}: exit {done['code']}\n{done['stdout']}{done['stderr']}"
            )
        return done["stdout"]

    def start(self, *argv, log):
        """Starts a command that goes on, with its output in a file; its process id in there."""
        return self.call("start", argv=[str(word) for word in argv], log=str(log))

    def end(self, pid, number=signal.SIGTERM, timeout=20):
        """Ends what was started; its exit status."""
        self.call("kill", pid=pid, number=int(number))
        return self.call("wait", timeout + 10, pid=pid, timeout=timeout)

    def halt(self):
        """Ends the machine and all that runs in it."""
        with contextlib.suppress(OSError):
            self.popen.stdin.close()
        try:
            self.popen.wait(10)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.popen.pid, signal.SIGKILL)  # its session: all that it became
            self.popen.wait(10)
        self.popen.stdout.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.halt()
