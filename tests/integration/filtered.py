"""Executes a command under a seccomp filter: filtered.py FILTER COMMAND...

killed-in-connect: a connect() to an IPv4 address kills the process.
without-ipv6: there are no sockets of IPv6, as in a kernel that is booted with ipv6.disable=1.
"""

import ctypes
import errno
import os
import platform
import socket
import struct
import sys

# Numbers of the system calls.
CONNECT, SOCKET = {"x86_64": (42, 41), "aarch64": (203, 198)}.get(platform.machine(), (-1, -1))
KNOWN = CONNECT >= 0

LOAD, EQUAL, RESULT = 0x20, 0x15, 0x06  # BPF_LD|W|ABS, BPF_JMP|JEQ|K, BPF_RET|K
KILL_PROCESS, FAIL, ALLOW = 0x80000000, 0x00050000, 0x7FFF0000  # SECCOMP_RET_...


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
    "killed-in-connect": where(CONNECT, argument(2), SOCKADDR_IN_SIZE, KILL_PROCESS),
    "without-ipv6": where(SOCKET, argument(0), socket.AF_INET6, FAIL | errno.EAFNOSUPPORT),
}


def main(name, *argv):
    code = FILTERS[name]
    program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in code))
    header = struct.pack("HxxxxxxP", len(code), ctypes.addressof(program))
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    set_no_new_privs, set_seccomp, filter_mode = 38, 22, 2
    if prctl(set_no_new_privs, 1, 0, 0, 0) or prctl(set_seccomp, filter_mode, header, 0, 0):
        sys.exit(f"seccomp: {os.strerror(ctypes.get_errno())}")
    os.execvp(argv[0], argv)


if __name__ == "__main__":
    main(*sys.argv[1:])
