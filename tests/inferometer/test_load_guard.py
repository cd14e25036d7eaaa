"""The guard of one run; engines and GPUs have tests of their own, and the system tests have all of it."""

from pathlib import Path

import msgspec
import pytest
from engine_server import NOT_FOUND
from load_rows import row

from inferometer.errors import ConfigurationError
from inferometer.load_guard import Guard, own_of
from loadtest.environment import State
from loadtest.environment_engine import Own
from loadtest.plan_spec import Conversations, PlanSpec, RateCurve, WorkloadClass
from loadtest.planner import build
from loadtest.rows import Row
from loadtest.run_spec import RunSpec
from telemetry.outcome import Outcome
from telemetry.testing.endpoint import Endpoint
from telemetry.testing.steps import AwaitToken, HalfClose, Send

BARE = (AwaitToken(), Send(NOT_FOUND), HalfClose())
SPEC = PlanSpec(seed=7, rate=RateCurve(points=((0.0, 40.0),)), count=20)


def run(url: str, **changes: str) -> RunSpec:
    usual = RunSpec(run_id="r", targets=(url,), plan=SPEC, directory="d", model="m")
    return msgspec.structs.replace(usual, **changes)


def guarding(endpoint: Endpoint, directory: Path) -> Guard:
    return Guard(run("http://{}:{}".format(*endpoint.address), directory=str(directory)))


def test_a_run_of_which_nobody_can_tell_is_watched_to_its_end(tmp_path: Path) -> None:
    with (
        Endpoint(BARE) as endpoint,
        Guard(run("http://{}:{}".format(*endpoint.address), directory=str(tmp_path))) as guard,
    ):
        before = guard.before()
        guard.began(0)
        guard.ended()
        told = guard.findings([row(0)], build(SPEC))

    assert {"client_governor", "client_load", "client_swap", "gpu", "engine"} == {one.name for one in before}
    assert set(before) == set(told)
    assert State.UNFIT not in {one.state for one in told}
    assert (None, []) == (guard.facts.engine, list(tmp_path.iterdir()))


def test_lines_that_were_lost_are_said(tmp_path: Path) -> None:
    with (
        Endpoint(BARE) as endpoint,
        Guard(run("http://{}:{}".format(*endpoint.address), directory=str(tmp_path))) as guard,
    ):
        guard.began(0)
        guard.files[0].lost = 3
        (told,) = [one for one in guard.findings([], build(SPEC)) if one.name == "files"]

    assert (State.NOTE, "3 lines could not be written") == (told.state, told.found)


def test_what_we_did_is_what_the_engine_may_have_counted() -> None:
    lost = [Outcome.TIMEOUT_FIRST_TOKEN, Outcome.CONNECT_ERROR, Outcome.OVERLOADED, Outcome.RATE_LIMITED]
    rows = [connected(row(j, outcome=outcome)) for j, outcome in enumerate([Outcome.OK, Outcome.OK, *lost])]
    rows += [row(6, outcome=Outcome.CONNECT_ERROR), row(7, outcome=Outcome.CLIENT_LIMIT)]  # never sent

    assert Own(answered=2, sent=6, hit_ratio=0.0) == own_of(rows, build(SPEC))


def test_hits_of_conversations_are_not_planned() -> None:
    turns = Conversations(turns=(1, 2), think_s=1.0)
    spec = msgspec.structs.replace(SPEC, classes=(WorkloadClass(conversations=turns),))

    assert own_of([], build(spec)).hit_ratio is None


def connected(one: Row) -> Row:
    return msgspec.structs.replace(one, record=msgspec.structs.replace(one.record, connect_us=0))


def test_a_key_that_cannot_be_read_is_named() -> None:
    with pytest.raises(ConfigurationError, match="--key-file: none"):
        Guard(run("http://127.0.0.1:1", key_file="none"))


def test_several_targets_are_named() -> None:
    spec = msgspec.structs.replace(SPEC, arms=2)
    both = ("http://127.0.0.1:1", "http://127.0.0.1:2")
    with Guard(msgspec.structs.replace(run(both[0]), plan=spec, targets=both)) as guard:
        names = {one.name for one in guard.before()}

    assert {f"engine {url}" for url in both} <= names
