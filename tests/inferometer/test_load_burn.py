"""Live objectives beside a run, on scripted answers; the system tests have a real evaluation."""

import json
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from engine_server import body
from test_load_options import options

from inferometer.address import Address
from inferometer.config_schema import Config
from inferometer.errors import UnreachableError
from inferometer.load_burn import POLL_S, STALE_S, TRIES_MAX, BurnWatch, Stop, ended, watched_endpoint
from loadtest.conductor import EXIT_FAILED, EXIT_INCONCLUSIVE, EXIT_INTERRUPTED, EXIT_OK, Ending, Halt
from loadtest.worker_report import WorkerReport
from telemetry.testing.endpoint import Endpoint

AS_OF, NOW_MS = "2026-11-26T08:00:00Z", 1_795_680_010_000
FIRING = {
    "slo": "chat-good",
    "alertname": "chat-good",
    "severity": "page",
    "state": "firing",
    "active_at": AS_OF,
    "annotations": {"summary": "2 of 3 failed"},
}
BLIND = FIRING | {"alertname": "SLOBlind"}
WORDS = f"objective chat-good burns: chat-good is firing since {AS_OF} (2 of 3 failed)"


def slos(*names: str) -> bytes:
    return json.dumps({"slos": [{"name": name} for name in names]}).encode()


def alerts(*found: dict[str, Any], as_of: str | None = AS_OF) -> bytes:
    return json.dumps({"as_of": as_of, "alerts": found}).encode()


def served(*answers: bytes) -> Endpoint:
    endpoint = Endpoint()
    for answer in answers:
        endpoint.enqueue(body(answer, "application/json"))
    return endpoint


def watch(endpoint: Endpoint) -> BurnWatch:
    host, port = endpoint.address
    return BurnWatch(Address(host=host, port=port), lambda: NOW_MS)


@pytest.mark.parametrize(
    ("found", "stop", "words"),
    [
        pytest.param([], Stop.NONE, "", id="nothing"),
        pytest.param([FIRING | {"slo": ""}], Stop.NONE, "", id="a built-in rule"),
        pytest.param([FIRING | {"severity": "ticket"}], Stop.NONE, "", id="a slow burn"),
        pytest.param([BLIND | {"state": "pending"}], Stop.NONE, "", id="not blind for long"),
        pytest.param(
            [FIRING | {"alertname": "EndpointDown"}],
            Stop.BURN,
            WORDS.replace(": chat-good", ": EndpointDown"),
            id="down",
        ),
        pytest.param([FIRING], Stop.BURN, WORDS, id="an objective"),
    ],
)
def test_an_objective_that_pages_burns(found: list[dict[str, Any]], stop: Stop, words: str) -> None:
    with served(slos("chat-good"), alerts(*found)) as endpoint, watch(endpoint) as watching:
        assert (stop, words) == (watching.stop, watching.words)


@pytest.mark.parametrize(
    ("labels", "stop"),
    [
        pytest.param({"endpoint": "chat"}, Stop.BURN, id="of this endpoint"),
        pytest.param({"endpoint": "batch"}, Stop.NONE, id="of another"),
        pytest.param({}, Stop.BURN, id="of all endpoints together"),
    ],
)
def test_objectives_of_another_endpoint_end_no_run(labels: dict[str, str], stop: Stop) -> None:
    found = [FIRING | {"labels": labels}, FIRING | {"labels": {"endpoint": "batch"}}]
    with served(slos("chat-good"), alerts(*found)) as endpoint:
        host, port = endpoint.address
        with BurnWatch(Address(host=host, port=port), lambda: NOW_MS, endpoint="chat") as watching:
            assert stop is watching.stop


@pytest.mark.parametrize(
    ("typed", "key", "url", "expected"),
    [
        pytest.param("batch", "chat", "http://h:8000", "batch", id="typed"),
        pytest.param(None, "chat", "http://h:8000", "chat", id="configured"),
        pytest.param(None, "", "http://127.0.0.1:8000", "named", id="the engine"),
        pytest.param(None, "", "http://127.0.0.1:8100", "named", id="its tee"),
        pytest.param(None, "", "http://127.0.0.1:9000", "", id="another server"),
    ],
)
def test_the_endpoint_is_that_of_the_target(typed: str | None, key: str, url: str, expected: str) -> None:
    config = Config.model_validate(
        {"target": {"url": "http://127.0.0.1:8000", "endpoint": "named"}, "load": {"burn_endpoint": key}}
    )

    assert expected == watched_endpoint(config, options(target=url, burn_endpoint=typed))
    assert not watched_endpoint(Config(), options(target=url))


@pytest.mark.parametrize(
    ("answers", "named"),
    [
        pytest.param([slos()], "evaluates no objective", id="no objective"),
        pytest.param([slos("a"), alerts(as_of=None)], "does not say", id="nothing evaluated yet"),
        pytest.param([slos("a"), alerts(as_of="2026-11-26T07:00:00Z")], "3610 s old", id="it stands still"),
        pytest.param([slos("a"), alerts(BLIND)], "nobody looks at chat-good", id="blind"),
        pytest.param([slos("a"), alerts(FIRING | {"annotations": None})], "does not say", id="garbage in an alert"),
        pytest.param([b"[]"], "does not say", id="another server"),
        pytest.param([b"<html>"], "does not say", id="no JSON"),
    ],
)
def test_a_run_does_not_begin_without_somebody_who_sees(answers: Sequence[bytes], named: str) -> None:
    with served(*answers) as endpoint, pytest.raises(UnreachableError, match=named), watch(endpoint):
        pass


def test_a_run_does_not_begin_where_nobody_answers() -> None:
    with pytest.raises(UnreachableError, match="does not say"), BurnWatch(Address(host="127.0.0.1", port=1)):
        pass


def test_who_is_silent_too_often_is_gone_and_one_answer_makes_good() -> None:
    garbage = alerts(FIRING | {"annotations": None})
    with served(b"{", b"{", alerts(), b"{", garbage, garbage) as endpoint:
        watching = watch(endpoint)
        stops: list[Stop] = []
        for _ in range(6):
            watching.poll()
            stops.append(watching.stop)

    assert [Stop.NONE] * 5 + [Stop.BLIND] == stops
    assert "no longer says" in watching.words
    assert (2.0, 3, 180.0) == (POLL_S, TRIES_MAX, STALE_S)


ENDING = Ending(
    code=EXIT_OK,
    halt=Halt.ENOUGH,
    message="",
    planned=20,
    sha256="",
    whole=WorkerReport(worker=1, sent=7),
    workers=(),
    lost=(),
)
PARTIAL = "it burns: partial run, ended after 7 of 20 arrivals"


@pytest.mark.parametrize(
    ("stop", "changes", "expected"),
    [
        pytest.param(Stop.BURN, {}, (EXIT_FAILED, Halt.BURN, PARTIAL), id="burning"),
        pytest.param(Stop.BLIND, {}, (EXIT_INCONCLUSIVE, Halt.BURN, PARTIAL), id="blind"),
        pytest.param(
            Stop.BURN,
            {"code": EXIT_INCONCLUSIVE, "message": "unfit"},
            (EXIT_INCONCLUSIVE, Halt.BURN, f"{PARTIAL}; unfit"),
            id="and unfit",
        ),
        pytest.param(
            Stop.BURN,
            {"code": EXIT_INTERRUPTED, "halt": Halt.INTERRUPTED},
            (EXIT_INTERRUPTED, Halt.INTERRUPTED, ""),
            id="interrupted",
        ),
        pytest.param(Stop.NONE, {}, (EXIT_OK, Halt.ENOUGH, ""), id="calm"),
        pytest.param(
            Stop.BURN,
            {"halt": Halt.BURN, "whole": WorkerReport(worker=1)},
            (EXIT_INCONCLUSIVE, Halt.BURN, "it burns: partial run, ended after 0 of 20 arrivals"),
            id="before the start",
        ),
    ],
)
def test_what_a_burn_makes_of_a_run(stop: Stop, changes: dict[str, Any], expected: tuple[int, Halt, str]) -> None:
    watching = BurnWatch(Address(host="127.0.0.1", port=1))
    watching.stop, watching.words = stop, "it burns"
    found = ended(msgspec.structs.replace(ENDING, **changes), watching)

    assert expected == (found.code, found.halt, found.message)


def test_a_run_is_told_to_end_once_there_is_a_reason() -> None:
    watching = BurnWatch(Address(host="127.0.0.1", port=1))
    lines: list[str] = []
    shown = watching.ends(lines.append)
    before = shown("one")
    watching.stop = Stop.BURN

    assert (False, True, ["one", "two"]) == (before, shown("two"), lines)
    assert watching.ends(lambda _: True)("three")
