"""What an engine's page says of the surroundings, each row of the table at its limit (spec/loadtest.md 11)."""

from typing import Any

import pytest

from loadtest.environment import Finding, State
from loadtest.environment_engine import COLD_S, FOREIGN_RATIO_MAX, Own, Watch, is_idle, queue, requests
from loadtest.run_spec import IDLE_S_MAX
from telemetry.samples import EngineSample

OWN = Own(answered=100, sent=100, hit_ratio=0.2)


def sample(counted: int | None = 0, **changes: Any) -> EngineSample:  # noqa: ANN401 -- fields of a sample
    usual: dict[str, Any] = {
        "ts": 1_000_000,
        "endpoint": "e",
        "replica": "r",
        "up": 1,
        "scrape_us": 1,
        "running": 0,
        "queued": 0,
        "success_total": {} if counted is None else {"stop": counted, "abort": 0},
        "prefix_hits_total": 0,
        "prefix_queries_total": 0,
        "sleep_state": "awake",
        "config_hash": 7,
        "extra": {"process_start_unix_s": 400.0},
    }
    return EngineSample(**usual | changes)


def findings(
    first: EngineSample, *later: EngineSample, own: Own = OWN, changed: tuple[str, ...] | None = ()
) -> list[Finding]:
    watch = Watch(first)
    for one in later:
        watch.took(one)
    return watch.findings(own, changed)


def of(name: str, told: list[Finding]) -> Finding:
    (found,) = [one for one in told if one.name == name]
    return found


GOOD = sample(100, prefix_hits_total=200, prefix_queries_total=1000)


def test_a_quiet_engine_is_ok_in_every_row() -> None:
    told = findings(sample(), GOOD)

    assert {State.OK} == {one.state for one in told}
    assert ["restart", "configuration", "sleep", "foreign", "cache", "cold", "page"] == [one.name for one in told]


@pytest.mark.parametrize(
    ("later", "own", "name", "state", "found"),
    [
        pytest.param(sample(102), OWN, "foreign", State.UNFIT, "2 of 102 requests, 2.0%", id="others"),
        pytest.param(sample(101), OWN, "foreign", State.OK, "1 of 101", id="1 % of others at most"),
        pytest.param(sample(101), Own(answered=90, sent=95, hit_ratio=0), "foreign", State.UNFIT, "6 of 101", id="few"),
        pytest.param(sample(95), Own(answered=95, sent=99, hit_ratio=0), "foreign", State.OK, "0 of 95", id="aborted"),
        pytest.param(sample(50), OWN, "foreign", State.UNKNOWN, "one engine of several", id="one of several"),
        pytest.param(sample(0), OWN, "foreign", State.UNKNOWN, "no requests were counted", id="nothing counted"),
        pytest.param(sample(None), OWN, "foreign", State.UNKNOWN, "no requests were counted", id="no counters"),
        pytest.param(sample(100, reset=1), OWN, "restart", State.UNFIT, "1 times in 1 looks", id="counters fell"),
        pytest.param(
            sample(100, extra={"process_start_unix_s": 900.0}), OWN, "restart", State.UNFIT, "1 times", id="restarted"
        ),
        pytest.param(
            sample(100, reset=1), OWN, "foreign", State.UNKNOWN, "no requests", id="no share across a restart"
        ),
        pytest.param(sample(100, config_hash=8), OWN, "configuration", State.UNFIT, "changed", id="other flags"),
        pytest.param(sample(100, sleep_state="mixed"), OWN, "sleep", State.UNFIT, "mixed", id="it slept"),
        pytest.param(sample(100, sleep_state=""), OWN, "sleep", State.UNKNOWN, "not on its page", id="sleep not told"),
        pytest.param(sample(100, config_hash=0), OWN, "configuration", State.OK, "as at", id="flags not told once"),
        pytest.param(sample(100, up=0), OWN, "page", State.NOTE, "1 of 1 looks", id="no page"),
    ],
)
def test_what_happens_during_a_run(later: EngineSample, own: Own, name: str, state: State, found: str) -> None:
    told = of(name, findings(sample(), later, own=own))

    assert state is told.state
    assert found in told.found


@pytest.mark.parametrize(
    ("changes", "state", "found"),
    [
        ({"prefix_hits_total": 249, "prefix_queries_total": 1000}, State.OK, "24.9% hits"),
        ({"prefix_hits_total": 251, "prefix_queries_total": 1000}, State.FLAG, "25.1% hits"),
        ({"prefix_hits_total": 149, "prefix_queries_total": 1000}, State.FLAG, "14.9% hits"),
        ({"prefix_hits_total": None}, State.UNKNOWN, "not on its page"),
        ({"prefix_queries_total": 0}, State.UNKNOWN, "not on its page"),
        ({"prefix_hits_total": 200, "prefix_queries_total": None, "prompt_tokens_total": 1000}, State.OK, "20.0% hits"),
    ],
)
def test_hits_of_the_prefix_cache_are_held_to_the_plan(changes: dict[str, Any], state: State, found: str) -> None:
    told = of("cache", findings(sample(prompt_tokens_total=0), sample(100, **changes)))

    assert (state, True) == (told.state, found in told.found)


def test_what_turns_of_conversations_share_is_not_planned() -> None:
    told = of("cache", findings(sample(), GOOD, own=Own(answered=100, sent=100, hit_ratio=None)))

    assert State.UNKNOWN is told.state


def test_what_changed_is_named() -> None:
    assert "engine_version changed" == of("configuration", findings(sample(), GOOD, changed=("engine_version",))).found


@pytest.mark.parametrize(
    ("config_hash", "changed", "up", "state"),
    [
        pytest.param(0, None, 1, State.UNKNOWN, id="neither its page nor its answers say"),
        pytest.param(7, None, 1, State.OK, id="its page says"),
        pytest.param(7, None, 0, State.UNKNOWN, id="its page said so before, and was not seen again"),
        pytest.param(0, (), 0, State.OK, id="its answers say"),
    ],
)
def test_a_configuration_that_nobody_saw_is_unknown(
    config_hash: int, changed: tuple[str, ...] | None, up: int, state: State
) -> None:
    told = findings(sample(config_hash=config_hash), sample(100, config_hash=config_hash, up=up), changed=changed)

    assert state is of("configuration", told).state


def test_where_no_look_was_answered_nothing_is_ok() -> None:
    told = {one.name: one.state for one in findings(sample(), *[sample(100, up=0)] * 9, changed=None)}

    assert {State.UNKNOWN} == {told[name] for name in ("restart", "configuration", "sleep", "foreign", "cache")}
    assert State.NOTE is told["page"]


@pytest.mark.parametrize(
    ("started_s", "state"),
    [(1000 - COLD_S, State.OK), (1000 - COLD_S + 1, State.FLAG), (0.0, State.UNKNOWN)],
)
def test_an_engine_that_has_just_started_is_cold(started_s: float, state: State) -> None:
    assert state is of("cold", findings(sample(extra={"process_start_unix_s": started_s}), GOOD)).state


def test_a_page_that_tells_neither_start_nor_requests_says_nothing_of_a_restart() -> None:
    bare = sample(None, extra={})

    assert State.UNKNOWN is of("restart", findings(bare, bare)).state


@pytest.mark.parametrize(
    ("before", "now", "idle", "state"),
    [
        pytest.param(sample(5), sample(5), True, State.OK, id="idle"),
        pytest.param(sample(5), sample(6), False, State.UNFIT, id="somebody else is served"),
        pytest.param(sample(5), sample(5, running=1), False, State.UNFIT, id="one runs"),
        pytest.param(sample(5), sample(5, queued=2), False, State.UNFIT, id="two wait"),
        pytest.param(sample(5), sample(5, queued=None), True, State.OK, id="no queue on its page"),
        pytest.param(sample(5), sample(5, running=None), None, State.UNKNOWN, id="not on its page"),
        pytest.param(sample(5, up=0), sample(5), None, State.UNKNOWN, id="no page"),
        pytest.param(sample(None), sample(None), None, State.UNKNOWN, id="it counts no requests"),
        pytest.param(sample(None), sample(None, running=1), False, State.UNFIT, id="one runs, and none is counted"),
    ],
)
def test_an_engine_is_idle_by_two_looks(
    before: EngineSample, now: EngineSample, *, idle: bool | None, state: State
) -> None:
    assert idle is is_idle(before, now)
    assert state is queue(before, now, 60.0).state
    assert (60.0, 0.01) == (IDLE_S_MAX, FOREIGN_RATIO_MAX)


def test_what_is_not_on_the_page_is_not_shown_as_0() -> None:
    found = queue(sample(None), sample(None, running=1, queued=None), 60.0).found

    assert "1 running, ? waiting, ? requests of others, after 60 s" == found


def test_requests_are_counted_under_the_name_that_the_engine_has() -> None:
    assert (7, 8, 9, None) == (
        requests(sample(7)),
        requests(sample(None, extra={"requests_total": 8.0})),
        requests(sample(None, extra={"succeeded_total": 9.0})),
        requests(sample(None)),
    )
