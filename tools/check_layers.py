#!/usr/bin/env python3
"""Holds the includes under src/ against the layers.

usage: check_layers.py [ROOT]

Each problem is a line: file:line: what is wrong: what would be right.  Exit status 1 if there is
one.  The table here is that of src/meson.build, where each layer is a library.
"""

import re
import sys
from pathlib import Path

# What a layer may include besides itself.
LAYERS = {
    "util": (),
    "model": ("util",),
    "format": ("model", "util", "proto"),
    "host": ("model", "util"),
    "engine": ("host", "model", "util"),
    "probe": ("model", "util"),
    "rpc": ("host", "format", "model", "util", "proto"),
    "agent": ("engine", "host", "probe", "rpc", "format", "model", "util", "proto"),
    "master": ("probe", "rpc", "format", "model", "util", "proto"),
    "report": ("format", "model", "util"),
    "recover": ("format", "model", "util", "proto"),
    "cli": ("agent", "master", "report", "recover", "engine", "host", "rpc", "format", "model", "util", "proto"),
    "main": ("cli",),  # src/main.c
}

# Which layers alone use a library: the others see it through these.
LIBRARIES = {
    "grpc/": ("rpc",),
    "jansson.h": ("format", "report", "cli"),
    "libmnl/": ("host", "engine"),
    "openssl/": ("util",),
    "pcap/": ("engine",),
    "protobuf-c/": ("format", "rpc", "agent", "master", "cli"),
    "zlib.h": ("format",),
}

# The model decides and computes: it is given what it needs, so that tests need no machine.
PURE = "model"
IMPURE = re.compile(r"(sys|net|netinet|arpa|linux|asm)/|"
                    r"(netdb|unistd|fcntl|pthread|time|signal)\.h$")
IMPURE_WORD = re.compile(r"\b(FILE|fopen|printf|puts|std(in|out|err))\b")

INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]*)[">]', re.MULTILINE)
COMMENT_OR_STRING = re.compile(r"""/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'""",
                               re.DOTALL)


def blank(text, strings):
    """The text without comments, and without what strings say if asked, line for line."""

    def replace(match):
        found = match.group()
        if found.startswith("/"):
            return " " + "\n" * found.count("\n")
        return '""' if strings else found

    return COMMENT_OR_STRING.sub(replace, text)


class Tree:
    def __init__(self, root):
        self.root = root
        self.source = root / "src"
        self.problems = []
        self.graph = {}  # file -> {file that it includes: line}; names are relative to src/

    def problem(self, name, line, what, right):
        self.problems.append((f"src/{name}", line, f"{what}: {right}"))

    def is_known(self, name):
        """Whether the file is there, or the build makes it."""
        if name.startswith("proto/"):
            made_of = re.sub(r"\.pb-c\.h$", ".proto", name)
            return made_of != name and (self.root / made_of).is_file()
        return (self.source / name).is_file() or (self.source / (name + ".in")).is_file()

    def check(self):
        for path in sorted(self.source.rglob("*.[ch]")):
            self.check_file(path, path.relative_to(self.source).as_posix())
        self.check_rings()
        return sorted(self.problems)

    def check_file(self, path, name):
        layer = layer_of(name)
        if layer not in LAYERS:
            self.problem(name, 1, f"{layer}/ is no layer", f"layers are {listed(LAYERS)}")
            return
        text = path.read_text(encoding="utf-8", errors="replace")
        code = blank(text, strings=False)
        self.graph[name] = {}
        for match in INCLUDE.finditer(code):
            line = code.count("\n", 0, match.start(1)) + 1
            if match.group(1) == "<":
                self.check_system(name, line, layer, match.group(2))
            else:
                self.check_own(name, line, layer, match.group(2))
        if layer == PURE:
            self.check_words(name, blank(text, strings=True))

    def check_own(self, name, line, layer, target):
        if not self.is_known(target):
            self.problem(name, line, f'"{target}" is no file under src/', self.meant(target))
            return
        self.graph[name].setdefault(target, line)
        other = layer_of(target)
        if other != layer and other not in LAYERS[layer]:
            self.problem(name, line, f'{layer}/ must not include "{target}"',
                         f"it may use {listed(LAYERS[layer]) or 'libc only'}")

    def meant(self, target):
        base = target.rsplit("/", 1)[-1]
        found = sorted(p.relative_to(self.source).as_posix() for p in self.source.rglob(base))
        if len(found) == 1:
            return f'write "{found[0]}"'
        return 'write LAYER/NAME.h as it lies under src/, or <NAME.h> for what is not ours'

    def check_system(self, name, line, layer, target):
        for prefix, layers in LIBRARIES.items():
            if target.startswith(prefix) and layer not in layers:
                self.problem(name, line, f"{layer}/ must not include <{target}>",
                             f"only {listed(layers)} may; go through their headers")
        if layer == PURE and IMPURE.match(target):
            self.problem(name, line, f"{layer}/ must not include <{target}>",
                         "it is pure: take the value as an argument")

    def check_words(self, name, code):
        for match in IMPURE_WORD.finditer(code):
            self.problem(name, code.count("\n", 0, match.start()) + 1,
                         f"{PURE}/ must not use {match.group()}",
                         "it is pure: leave reading and writing to others")

    def check_rings(self):
        done = set()
        for name in sorted(self.graph):
            self.follow(name, [], done)

    def follow(self, name, way, done):
        """Walks depth first; a ring shows as an include of a file on the way here."""
        if name in way:
            ring = way[way.index(name):]
            self.problem(ring[-1], self.graph[ring[-1]][name],
                         "a ring of includes: " + " -> ".join([*ring, name]),
                         "let one of them do with a declaration, or part what both need")
        elif name not in done:
            for target in sorted(self.graph.get(name, ())):
                self.follow(target, [*way, name], done)
            done.add(name)


def layer_of(name):
    return name.split("/", 1)[0] if "/" in name else "main"


def listed(names):
    return ", ".join(names)


def main(arguments):
    if len(arguments) > 1 or any(word.startswith("-") for word in arguments):
        print(__doc__.strip(), file=sys.stderr)
        return 2
    root = Path(arguments[0]) if arguments else Path(__file__).resolve().parent.parent
    if not (root / "src").is_dir():
        print(f"check_layers.py: {root}/src is no directory: name the repository", file=sys.stderr)
        return 2
    problems = Tree(root).check()
    for name, line, text in problems:
        print(f"{name}:{line}: {text}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
