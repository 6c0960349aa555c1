"""Plants what is forbidden in a copy of the tree and expects tools/check_layers.py to name it."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOOL = ROOT / "tools" / "check_layers.py"


def check(*arguments):
    return subprocess.run([sys.executable, str(TOOL), *map(str, arguments)],
                          capture_output=True, text=True, check=False)


@pytest.fixture
def tree(tmp_path):
    for folder in ("src", "proto"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    return tmp_path


def plant(tree, name, text):
    """Adds the text to a file under src/, at its end; returns "src/NAME:LINE:" of its last line."""
    path = tree / "src" / name
    before = path.read_text() if path.exists() else ""
    path.write_text(before + text + "\n")
    return f"src/{name}:{(before + text).count(chr(10)) + 1}:"


def expect(tree, place, *words):
    """That exactly one problem is found, there, in these words."""
    result = check(tree)
    assert result.returncode == 1, result.stdout
    lines = result.stdout.splitlines()
    assert len(lines) == 1, result.stdout
    assert lines[0].startswith(place + " ")
    for word in words:
        assert word in lines[0]


def test_tree_itself_passes():
    result = check()
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_copy_passes(tree):
    assert check(tree).returncode == 0


@pytest.mark.parametrize("name, include, may", [
    ("util/random.c", "model/flow.h", "libc only"),
    ("model/axis.c", "engine/engine.h", "it may use util"),
    ("model/axis.h", "format/segment.h", "it may use util"),
    ("engine/ecn.c", "rpc/rpc.h", "it may use host, model, util"),
    ("engine/ecn.c", "proto/messages.pb-c.h", "it may use host, model, util"),
    ("format/segment.c", "rpc/rpc.h", "it may use model, util, proto"),
    ("rpc/service.c", "agent/agent.h", "it may use host, format, model, util, proto"),
    ("agent/agent.c", "master/master.h", "it may use engine, host, probe, rpc"),
    ("master/master.c", "engine/engine.h", "it may use probe, rpc, format"),
    ("probe/prober.c", "rpc/rpc.h", "it may use model, util"),
    ("report/summary.c", "master/master.h", "it may use format, model, util"),
    ("main.c", "util/log.h", "it may use cli"),
])
def test_include_against_the_layers(tree, name, include, may):
    place = plant(tree, name, f'#include "{include}"')
    expect(tree, place, f'must not include "{include}"', may)


@pytest.mark.parametrize("name, include, who", [
    ("agent/agent.c", "grpc/grpc.h", "only rpc may"),
    ("util/log.c", "grpc/support/log.h", "only rpc may"),
    ("master/output.c", "jansson.h", "only format, report, cli may"),
    ("engine/ecn.c", "protobuf-c/protobuf-c.h", "only format, rpc, agent, master, cli may"),
    ("agent/agent.c", "libmnl/libmnl.h", "only host, engine may"),
    ("agent/agent.c", "openssl/evp.h", "only util may"),
])
def test_library_outside_its_layer(tree, name, include, who):
    expect(tree, plant(tree, name, f"#include <{include}>"), f"must not include <{include}>", who)


@pytest.mark.parametrize("include", ["sys/socket.h", "netinet/in.h", "netinet/tcp.h", "unistd.h",
                                     "pthread.h"])
def test_model_is_pure(tree, include):
    place = plant(tree, "model/series.c", f"#include <{include}>")
    expect(tree, place, f"model/ must not include <{include}>", "it is pure")


def test_model_must_not_read_files(tree):
    expect(tree, plant(tree, "model/plan.c", "static FILE *scenario_file;"), "must not use FILE")


def test_library_is_refused_to_the_model_once(tree):
    place = plant(tree, "model/plan.c", "#include <protobuf-c/protobuf-c.h>")
    expect(tree, place, "must not include <protobuf-c/protobuf-c.h>")


def test_ring_of_headers(tree):
    plant(tree, "util/one.h", '#include "util/two.h"')
    plant(tree, "util/two.h", '\n#include "util/three.h"')
    place = plant(tree, "util/three.h", '#include "util/one.h"')
    expect(tree, place,
           "a ring of includes: util/one.h -> util/two.h -> util/three.h -> util/one.h: let")


def test_header_that_includes_itself(tree):
    place = plant(tree, "util/one.h", '#include "util/one.h"')
    expect(tree, place, "a ring of includes: util/one.h -> util/one.h")


def test_ring_among_headers_that_others_include(tree):
    plant(tree, "util/error.h", '#include "util/duration.h"')
    result = check(tree)
    assert result.returncode == 1
    place = r"src/util/(error|duration)\.h:\d+"
    assert re.fullmatch(place + ": a ring of includes: .*\n", result.stdout)


@pytest.mark.parametrize("include, right", [
    ("duration.h", 'write "util/duration.h"'),
    ("../util/duration.h", 'write "util/duration.h"'),
    ("util/duraton.h", "write LAYER/NAME.h"),
    ("proto/mesages.pb-c.h", "write LAYER/NAME.h"),
    ("stdint.h", "<NAME.h> for what is not ours"),
])
def test_file_that_is_not_there(tree, include, right):
    place = plant(tree, "model/plan.c", f'#include "{include}"')
    expect(tree, place, f'"{include}" is no file under src/', right)


def test_folder_that_is_no_layer(tree):
    (tree / "src" / "misc").mkdir()
    plant(tree, "misc/things.h", "int thing;")
    expect(tree, "src/misc/things.h:1:", "misc/ is no layer", "util, model")


def test_every_problem_is_named(tree):
    places = [
        plant(tree, "model/axis.c", '#include "engine/engine.h"'),
        plant(tree, "model/axis.c", "#  include  <grpc/grpc.h>"),
        plant(tree, "util/log.c", '#include "no/such.h"'),
    ]
    lines = check(tree).stdout.splitlines()
    assert [line.split(" ")[0] for line in lines] == places


def test_comments_do_not_count(tree):
    plant(tree, "model/axis.c", '/*\n#include "engine/engine.h"\nFILE */\n'
          '// #include <grpc/grpc.h>\nstatic const char text[] = "FILE";')
    assert check(tree).returncode == 0


def test_table_is_that_of_the_build():
    sys.path.insert(0, str(TOOL.parent))
    try:
        from check_layers import LAYERS  # pylint: disable=import-outside-toplevel
    finally:
        sys.path.pop(0)
    for layer, may in LAYERS.items():
        if layer == "main":
            continue
        build = (ROOT / "src" / layer / "meson.build").read_text()
        library = build[build.index("static_library"):build.index(f"{layer}_dep = ")]
        linked = set(re.findall(r"(\w+)_dep\b", library))
        assert linked <= set(may), layer


@pytest.mark.parametrize("arguments", [["a", "b"], ["--help"], ["/nonexistent"]])
def test_wrong_usage(arguments):
    result = check(*arguments)
    assert result.returncode == 2
    assert result.stderr and not result.stdout
