"""Strangers at an agent: each plays while a victim's run goes on, which must end complete; then the next
run works, and nothing is left behind.

The strangers are in strange_*.py, one function each; target.py has what must hold.
"""

import pytest
from harness import waiting
from strange_traffic import PROOF
from target import PORTS

ATTEMPTS = 256  # to connect where nobody has proved to be an agent of the run, a minute

# Who plays at the same time: each group takes a run of the victim's, so there are few.
GROUPS = {
    "silent": ["idle_connections", "slow_preface", "greeted_and_idle"],
    "nonsense": ["garbage", "http1", "tls", "garbage_frames", "broken_messages"],
    "never done": ["unended_headers", "unended_messages", "window_of_zero"],
    "unended": ["unended_requests"],
    "headers": ["huge_headers"],
    "streams": ["open_streams"],
    "floods": ["settings_flood", "ping_flood", "rapid_reset"],
    "gone": ["comes_and_goes", "vanishes_in_mid_call"],
    "large messages": ["oversized_messages", "compressed_zeros"],
    "deep messages": ["nested_messages", "deep_nesting"],
    "calls": ["unknown_methods", "meddler"],
    "many ends": ["many_ends_announced", "many_ends"],
    "pieces": ["pieces_without_ends", "huge_about"],
    "waiting": ["names_that_do_not_resolve", "too_many_runs"],
    "probes": ["too_many_probes"],
    "datagrams": ["datagrams", "replayed_datagrams"],
    "strays": ["strays"],
}


@pytest.mark.parametrize("strangers", GROUPS.values(), ids=GROUPS)
def test_from_the_network(reachable, strangers):
    reachable.ready().withstands(*strangers)


def test_a_door_that_is_held(reachable):
    """Those who have nothing under way make room for a run's master."""
    reachable.ready()
    prey = {"host": reachable.address, "port": PORTS[0]}
    stranger = reachable.stranger("holds_the_door", prey, 0)
    for _ in waiting("the stranger's connections", stranger):
        if "held" in stranger.text():
            break
    reachable.next_run()
    assert stranger.wait() == 0, stranger.text()
    reachable.is_as_before()
    reachable.sound = True


def test_what_a_third_host_sees(reachable):
    """Of a service that is no agent, and of ports where nobody listens: attempts, as few as are bounded,
    and nothing of a stranger's choice."""
    reachable.ready()
    service = reachable.service(6379)
    before = reachable.attempts()
    reachable.withstands("talks_to_another_service", "scans_ports")
    assert reachable.attempts() - before <= ATTEMPTS + 64
    for said in service.text().split():
        said = bytes.fromhex(said)
        assert len(said) <= 32 and said.startswith(PROOF) and b"FLUSH" not in said


def test_the_metrics_cache_stays(reachable):
    """What the kernel remembers of a peer."""
    reachable.ready()
    reachable.visit_third()
    remembered = reachable.remembered()
    assert remembered
    reachable.withstands("ends_the_agent", "empties_the_metrics_cache")
    assert reachable.remembered() == remembered


LOCAL = {
    "calls": ["another_user", "another_user_who_is_gone"],
    "silent": ["idle_connections"],
}


@pytest.mark.parametrize("strangers", LOCAL.values(), ids=LOCAL)
def test_on_loopback(local, strangers):
    local.ready().withstands(*strangers)


def test_another_users_listener(local):
    """Stands where an agent should: the master says nothing to it, and tells why."""
    listener = local.listener_of_another_user(8849)
    outcome = local.run_at(8849).must(3)
    assert "uid 65534" in outcome.stderr and "--trust-user" in outcome.stderr
    assert listener.text() == ""
