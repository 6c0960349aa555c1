"""Executes a command under a seccomp filter: filtered.py FILTER COMMAND...

killed-in-connect: the second connect() to an IPv4 address kills the process, inside it.  (The first
is that of the proof that goes before a flow.)
without-ipv6: there are no sockets of IPv6, as in a kernel that is booted with ipv6.disable=1.
"""

import ctypes
import errno
import fcntl
import os
import platform
import signal
import socket
import struct
import sys

# Numbers of the system calls.
CONNECT, SOCKET, SECCOMP = {"x86_64": (42, 41, 317), "aarch64": (203, 198, 277)}.get(
    platform.machine(), (-1, -1, -1)
)
KNOWN = CONNECT >= 0

LOAD, EQUAL, RESULT = 0x20, 0x15, 0x06  # BPF_LD|W|ABS, BPF_JMP|JEQ|K, BPF_RET|K
ASK, FAIL, ALLOW = 0x7FC00000, 0x00050000, 0x7FFF0000  # SECCOMP_RET_USER_NOTIF, ...
RECEIVE, ANSWER = 0xC0502100, 0xC0182101  # SECCOMP_IOCTL_NOTIF_RECV, ..._SEND


def argument(number):
    """The offset of its lower half in struct seccomp_data."""
    return 16 + 8 * number


def where(call, offset, value, result):
    """The result for this call where the argument is the value; all else is allowed."""
    return [
        (LOAD, 0, 0, 0),
        (EQUAL, 0, 3, call),
        (LOAD, 0, 0, offset),
        (EQUAL, 0, 1, value),
        (RESULT, 0, 0, result),
        (RESULT, 0, 0, ALLOW),
    ]


SOCKADDR_IN_SIZE = 16
FILTERS = {
    "killed-in-connect": where(CONNECT, argument(2), SOCKADDR_IN_SIZE, ASK),
    "without-ipv6": where(SOCKET, argument(0), socket.AF_INET6, FAIL | errno.EAFNOSUPPORT),
}


def watch(listener, parent):
    """Lets the first call pass, and kills who makes the second."""
    notice = bytearray(80)
    fcntl.ioctl(listener, RECEIVE, notice)
    go_on = 1
    fcntl.ioctl(listener, ANSWER, struct.pack("QqiI", *struct.unpack("Q", notice[:8]), 0, 0, go_on))
    fcntl.ioctl(listener, RECEIVE, bytearray(80))
    os.kill(parent, signal.SIGSYS)
    while True:  # until it is dead: without a listener the call would return
        signal.pause()


def main(name, *argv):
    code = FILTERS[name]
    program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in code))
    header = struct.pack("HxxxxxxP", len(code), ctypes.addressof(program))
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    set_no_new_privs, set_death_signal = 38, 1
    set_filter, with_listener = 1, 8
    if prctl(set_no_new_privs, 1, 0, 0, 0):
        sys.exit(f"prctl: {os.strerror(ctypes.get_errno())}")
    asks = any(line[3] == ASK for line in FILTERS[name])
    call = ctypes.CDLL(None, use_errno=True).syscall
    listener = call(SECCOMP, set_filter, with_listener if asks else 0, header)
    if listener < 0:
        sys.exit(f"seccomp: {os.strerror(ctypes.get_errno())}")
    parent = os.getpid()
    if asks and os.fork() == 0:
        prctl(set_death_signal, signal.SIGKILL, 0, 0, 0)
        watch(listener, parent)
    os.execvp(argv[0], argv)


if __name__ == "__main__":
    main(*sys.argv[1:])
