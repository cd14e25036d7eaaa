"""The API as a table: what is asked, and what it answers; without a store, which is gone."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from views import HOST, NOW_S, Told, judged, seen

from slo.alert_moves import AlertState
from slo.api import ROUTES, Scope, description
from slo.api_guard import BODY_BYTES_MAX
from slo.problem import STATUSES
from slo.telemetry_state import BlindCause

HOSTILE = "<script>alert(1)</script> ' OR 1=1 --\u202e{x:String}"
SILENCE: dict[str, Any] = {
    "matchers": [{"name": "slo", "value": "chat"}], "ends_at": "2026-09-21T15:00:00Z", "author": "ann", "comment": "c",
}  # fmt: skip
MARKER: dict[str, Any] = {"kind": "deploy", "actor": "ci"}
TIME: dict[str, Any] = {
    "selector": [{"name": "slo", "value": "chat"}], "start": "2026-09-21T14:00:00Z", "end": "2026-09-21T15:00:00Z",
    "reason": "repair", "author": "ann",
}  # fmt: skip
OVERRIDE: dict[str, Any] = {"who": "ann", "reason": "a fix", "until": "2026-09-21T15:00:00Z"}


VIEW = seen(judged(bad=1_000), judged("other", endpoint=HOSTILE))


@pytest.fixture(scope="module")
def steady(tmp_path_factory: pytest.TempPathFactory) -> Told:
    """One for all questions; making one takes a tenth of a second."""
    return Told(tmp_path_factory.mktemp("api"), VIEW)


@pytest.fixture
def told(steady: Told) -> Told:
    """The same, as at the start but for its desk."""
    steady.view = VIEW
    return steady


READS = [
    pytest.param("/v1/slos", 200, id="objectives"),
    pytest.param("/v1/slos?x=1", 400, id="an unknown parameter"),
    pytest.param("/v1/slos/", 404, id="a path that ends in a slash"),
    pytest.param("/v1/slos/chat", 200, id="an objective, without the store"),
    pytest.param("/v1/slos/no", 404, id="no objective"),
    pytest.param("/v1/slos/%00", 404, id="a name of zero bytes"),
    pytest.param("/v1/slos/" + "x" * 300, 400, id="a long name"),
    pytest.param('/v1/slos/chat?group={"endpoint":"chat"}', 200, id="a group"),
    pytest.param('/v1/slos/chat?group={"endpoint":"no"}', 404, id="no group"),
    pytest.param("/v1/slos/chat?group=chat", 400, id="a group that is no object"),
    pytest.param('/v1/slos/chat?group={"a":1}', 400, id="a group of numbers"),
    pytest.param("/v1/slos/chat?group=" + "[" * 1_500, 400, id="a deep group"),
    pytest.param("/v1/slos/chat?group=x&group=y", 400, id="two groups"),
    pytest.param("/v1/slos/chat/rules", 200, id="rules"),
    pytest.param("/v1/slos/chat/rules?group=", 200, id="an empty group is any"),
    pytest.param("/v1/slos/chat/series", 503, id="a series, without the store"),
    pytest.param("/v1/slos/chat/series?step_s=31", 400, id="a step that is no multiple"),
    pytest.param("/v1/slos/chat/series?step_s=0", 400, id="no step"),
    pytest.param("/v1/slos/chat/series?step_s=30&from=2026-01-01T00:00:00Z", 400, id="too many steps"),
    pytest.param("/v1/slos/chat/series?from=2026-01-01T00:00:00", 400, id="a time without a zone"),
    pytest.param("/v1/slos/chat/series?from=9999-12-31T23:59:59Z", 400, id="a time beyond the store's"),
    pytest.param("/v1/slos/chat/series?from=0001-01-01T00:00:00Z", 400, id="a time before all clocks"),
    pytest.param("/v1/slos/chat/series?from=2026-09-22T00:00:00Z", 400, id="a start after the end"),
    pytest.param("/v1/alerts", 200, id="alerts"),
    pytest.param("/v1/alerts?state=firing&state=pending", 200, id="alerts in two states"),
    pytest.param("/v1/alerts?state=loud", 400, id="alerts in no state"),
    pytest.param("/v1/alerts?severity=loud", 400, id="alerts of no severity"),
    pytest.param("/v1/alerts/history", 503, id="history, without the store"),
    pytest.param("/v1/alerts/history?fingerprint=xyz", 400, id="history of no alert"),
    pytest.param("/v1/alerts/0000000000000001", 404, id="no alert"),
    pytest.param("/v1/alerts/0x", 404, id="no fingerprint"),
    pytest.param("/v1/silences", 200, id="silences"),
    pytest.param("/v1/adjustments", 200, id="adjustments"),
    pytest.param("/v1/audit", 503, id="the trail, without the store"),
    pytest.param("/v1/audit?from=x", 400, id="the trail of no time"),
    pytest.param("/v1/markers", 503, id="markers, without the store"),
    pytest.param("/v1/gate", 200, id="the gate"),
    pytest.param("/v1/gate?slo=no", 404, id="the gate of no objective"),
    pytest.param("/v1/gate?min_remaining=nan", 400, id="no number"),
    pytest.param("/v1/gate?min_remaining=1e999", 400, id="infinity"),
    pytest.param("/v1/gate?min_remaining=1.1", 400, id="more than all"),
    pytest.param("/v1/gate/overrides", 200, id="overrides"),
    pytest.param("/v1/incidents", 503, id="incidents, without the store"),
    pytest.param("/v1/mttr", 503, id="times to recover, without the store"),
    pytest.param("/v1/maturity", 503, id="maturity, without the store"),
    pytest.param("/openapi.json", 200, id="the description"),
    pytest.param("/docs", 404, id="no page that loads scripts from elsewhere"),
    pytest.param("/", 404, id="nothing"),
]
WRITES = [
    pytest.param("POST", "/v1/silences", SILENCE, 201, id="a silence"),
    pytest.param("POST", "/v1/silences", {**SILENCE, "x": 1}, 400, id="an unknown key"),
    pytest.param("POST", "/v1/silences", {**SILENCE, "author": ""}, 400, id="nobody asks"),
    pytest.param("POST", "/v1/silences", {**SILENCE, "comment": " "}, 400, id="a reason of blanks"),
    pytest.param("POST", "/v1/silences", {**SILENCE, "ends_at": "2026-09-29T00:00:00Z"}, 400, id="more than a week"),
    pytest.param("POST", "/v1/silences", {**SILENCE, "ends_at": "2026-09-20T00:00:00Z"}, 400, id="an end that is past"),
    pytest.param("POST", "/v1/silences", {**SILENCE, "ends_at": 1e300}, 400, id="a time that is none"),
    pytest.param("POST", "/v1/silences", {**SILENCE, "matchers": []}, 400, id="without matchers"),
    pytest.param(
        "POST",
        "/v1/silences",
        {**SILENCE, "matchers": [{"name": "a", "op": "=~", "value": ".*"}]},
        400,
        id="everything",
    ),
    pytest.param(
        "POST", "/v1/silences", {**SILENCE, "matchers": [{"name": "a", "op": "=~", "value": "(a+)+"}]}, 400, id="slow"
    ),
    pytest.param("POST", "/v1/silences", [1], 400, id="a list"),
    pytest.param("POST", "/v1/silences", None, 415, id="nothing at all"),
    pytest.param("DELETE", "/v1/silences/no", None, 404, id="no silence to end"),
    pytest.param("DELETE", "/v1/silences/no?x=1", None, 400, id="an end with an unknown parameter"),
    pytest.param("POST", "/v1/adjustments", TIME, 201, id="an adjustment"),
    pytest.param("POST", "/v1/adjustments", {**TIME, "end": None, "duration_s": 60}, 201, id="a time of a length"),
    pytest.param("POST", "/v1/adjustments", {**TIME, "rrule": "FREQ=DAILY"}, 201, id="an adjustment that comes again"),
    pytest.param("POST", "/v1/adjustments", {**TIME, "rrule": "FREQ=HOURLY"}, 400, id="each hour"),
    pytest.param("POST", "/v1/adjustments", {**TIME, "end": None}, 400, id="an adjustment without an end"),
    pytest.param("POST", "/v1/adjustments", {**TIME, "duration_s": 60}, 400, id="an adjustment of two ends"),
    pytest.param("POST", "/v1/adjustments", {**TIME, "end": TIME["start"]}, 400, id="an adjustment of no length"),
    pytest.param("POST", "/v1/adjustments", {**TIME, "start": "2020-01-01T00:00:00Z"}, 400, id="one of years ago"),
    pytest.param("POST", "/v1/adjustments", {**TIME, "start": "0001-01-01T00:00:00Z"}, 400, id="before all clocks"),
    pytest.param("POST", "/v1/adjustments", {**TIME, "percent_excluded": 0}, 400, id="an adjustment of nothing"),
    pytest.param("POST", "/v1/adjustments", {**TIME, "percent_excluded": 50.5}, 400, id="half a percent"),
    pytest.param("POST", "/v1/adjustments", {**TIME, "selector": []}, 400, id="an adjustment of everything"),
    pytest.param("POST", "/v1/adjustments", {**TIME, "reason": " "}, 400, id="an adjustment without a reason"),
    pytest.param("DELETE", "/v1/adjustments/no?who=a&reason=b", None, 404, id="no adjustment to withdraw"),
    pytest.param("DELETE", "/v1/adjustments/no?who=a", None, 400, id="withdrawn for no reason"),
    pytest.param("PUT", "/v1/silences", SILENCE, 405, id="a method that there is not"),
    pytest.param("POST", "/v1/slos", {}, 405, id="objectives are not made here"),
    pytest.param("POST", "/v1/markers", MARKER, 201, id="a marker"),
    pytest.param("POST", "/v1/markers", {**MARKER, "kind": "party"}, 400, id="a marker of no kind"),
    pytest.param("POST", "/v1/markers", {**MARKER, "end": "2026-01-01T00:00:00Z"}, 400, id="an end before the start"),
    pytest.param("POST", "/v1/markers", {**MARKER, "text": "x" * 2_001}, 400, id="a long text"),
    pytest.param("POST", "/v1/markers", {**MARKER, "text": HOSTILE}, 201, id="a hostile text"),
    pytest.param("DELETE", "/v1/markers/0000?who=a&reason=b", None, 503, id="a marker, without the store"),
    pytest.param("DELETE", "/v1/markers/0000", None, 400, id="a marker withdrawn by nobody"),
    pytest.param("POST", "/v1/gate/overrides", OVERRIDE, 201, id="an override"),
    pytest.param("POST", "/v1/gate/overrides", {**OVERRIDE, "who": ""}, 400, id="an override of nobody"),
    pytest.param("POST", "/v1/gate/overrides", {**OVERRIDE, "reason": " "}, 400, id="an override without a reason"),
    pytest.param(
        "POST", "/v1/gate/overrides", {**OVERRIDE, "until": "2026-09-23T00:00:00Z"}, 400, id="for more than a day"
    ),
    pytest.param("POST", "/v1/alerts/0000000000000001/ack", {"who": "ann"}, 404, id="no alert to take on"),
]
GARBAGE = [
    pytest.param(b"{", id="half an object"),
    pytest.param(b"\xff\xfe", id="no text"),
    pytest.param(b"NaN", id="no JSON"),
    pytest.param(b"[" * 60_000, id="a deep list"),
    pytest.param(b'{"matchers": [{"name": "\\ud800", "value": ""}]}', id="half a character"),
    pytest.param(b'{"author": ' + b"9" * 5_000 + b"}", id="a long number"),
]


@pytest.mark.parametrize(("path", "status"), READS)
async def test_what_is_asked_is_answered(steady: Told, path: str, status: int) -> None:
    answer = await steady.ask("GET", path)

    assert answer.status_code == status
    if status != 200:
        _check_problem(answer.headers["content-type"], answer.json(), status)


@pytest.mark.parametrize(("method", "path", "body", "status"), WRITES)
async def test_what_is_to_be_changed_is_changed_or_refused(
    steady: Told, method: str, path: str, body: object, status: int
) -> None:
    answer = await steady.ask(method, path, body)

    assert answer.status_code == status
    if status != 201:
        _check_problem(answer.headers["content-type"], answer.json(), status)


@pytest.mark.parametrize("content", GARBAGE)
async def test_garbage_is_refused(steady: Told, content: bytes) -> None:
    answer = await steady.ask("POST", "/v1/silences", content=content, headers={"content-type": "application/json"})

    assert answer.status_code == 400
    _check_problem(answer.headers["content-type"], answer.json(), 400)


def _check_problem(kind: str, body: dict[str, Any], status: int) -> None:
    assert kind == "application/problem+json"
    assert body.keys() == {"type", "title", "status", "detail", "instance", "errors"}
    assert body["status"] == status
    assert body["detail"]
    assert "\n" not in body["detail"]
    assert status in STATUSES.values()


async def test_a_body_of_unknown_length_is_read_to_the_limit(told: Told) -> None:
    async def parts() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield b" " * (BODY_BYTES_MAX // 2)

    answer = await told.ask("POST", "/v1/silences", content=parts(), headers={"content-type": "application/json"})

    _check_problem(answer.headers["content-type"], answer.json(), 413)
    assert answer.status_code == 413


async def test_a_503_says_when_to_come_again(told: Told) -> None:
    answer = await told.ask("GET", "/v1/incidents")

    assert (answer.headers["retry-after"], answer.json()["type"]) == ("5", "/problems/store-unreachable")


async def test_a_method_that_is_not_taken_names_those_that_are(told: Told) -> None:
    answer = await told.ask("POST", "/v1/slos", {})

    assert (answer.status_code, answer.headers["allow"]) == (405, "GET")


async def test_a_part_of_a_composite_is_asked_for_by_its_whole_name(told: Told) -> None:
    told.view = seen(judged("chat/fast"), judged("chat/whole"))
    one = await told.said("GET", "/v1/slos/chat/fast")
    rules = await told.said("GET", "/v1/slos/chat%2Fwhole/rules")
    whole = await told.said("GET", "/v1/slos/chat", status=404)

    assert (one["name"], rules["name"]) == ("chat/fast", "chat/whole")
    assert whole["detail"] == "chat is made of objectives; ask for chat/fast, chat/whole"


async def test_an_unchanged_answer_is_not_sent_again(told: Told) -> None:
    first = await told.ask("GET", "/v1/slos")
    tag = first.headers["etag"]
    again = await told.ask("GET", "/v1/slos", headers={"if-none-match": f'"x", W/{tag}'})
    told.view = seen(judged())
    other = await told.ask("GET", "/v1/slos", headers={"if-none-match": tag})

    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert other.status_code == 200
    assert other.headers["etag"] != tag


async def test_names_pass_through_as_text(told: Told) -> None:
    found = await told.said("GET", "/v1/slos")

    assert HOSTILE in [one["group"]["endpoint"] for one in found["slos"]]


async def test_no_answer_holds_a_number_that_json_has_not(told: Told) -> None:
    told.view = seen(judged(), lag_s=float("nan"))
    answer = await told.ask("GET", "/v1/slos")

    assert json.loads(answer.content, parse_constant=pytest.fail)["lag_s"] is None


async def test_requests_from_elsewhere_are_refused_before_any_route(told: Told) -> None:
    rebound = await told.ask("GET", "/v1/slos", headers={"host": "evil.example"})
    forged = await told.ask("POST", "/v1/silences", SILENCE, headers={"origin": "http://evil.example"})
    by_us = await told.ask("POST", "/v1/silences", SILENCE, headers={"origin": f"http://{HOST}"})
    asked_first = await told.ask("OPTIONS", "/v1/silences", headers={"origin": "http://evil.example"})

    assert [one.status_code for one in (rebound, forged, by_us, asked_first)] == [421, 403, 201, 405]
    assert not any(name.startswith("access-control") for name in asked_first.headers)
    assert by_us.headers["x-content-type-options"] == "nosniff"
    assert (await told.ask("GET", "/openapi.json", client="10.0.0.9")).status_code == 404


async def test_what_cannot_be_written_down_does_not_hold(tmp_path: Path) -> None:
    told = Told(tmp_path, VIEW)
    told.ledger.close()
    answer = await told.ask("POST", "/v1/silences", SILENCE)

    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/not-kept")
    assert (await told.said("GET", "/v1/silences"))["silences"] == []


async def test_our_own_fault_tells_nothing(told: Told) -> None:
    told.view = None  # type: ignore[assignment]  # a fault of ours
    answer = await told.ask("GET", "/v1/slos")

    _check_problem(answer.headers["content-type"], answer.json(), 500)
    assert "NoneType" not in answer.text


async def test_while_the_store_is_gone_the_gate_does_not_answer(told: Told) -> None:
    """slo.md A7."""
    told.view = seen(judged(), blind_cause=BlindCause.STORE)

    await told.said("GET", "/v1/gate", status=503)


async def test_an_alert_that_fires_can_be_taken_on_and_a_calm_one_not(told: Told) -> None:
    (page, _) = (await told.said("GET", "/v1/alerts?slo=chat"))["alerts"]
    path = f"/v1/alerts/{page['fingerprint']}/ack"
    taken = await told.said("POST", path, {"who": HOSTILE}, status=201)
    past = await told.ask("POST", path, {"who": "ann", "until": "2026-01-01T00:00:00Z"})
    shown = await told.said("GET", f"/v1/alerts/{page['fingerprint']}")

    assert (taken["who"], taken["until"]) == (HOSTILE, None)
    assert past.status_code == 400
    assert shown["acknowledged"] == taken
    assert told.desk.quiet(NOW_S).acknowledged == {int(page["fingerprint"], 16)}
    key = int(page["fingerprint"], 16)
    alert = told.view.alerts[key]
    calm = replace(alert, record=replace(alert.record, state=AlertState.RESOLVED))
    told.view = replace(told.view, alerts={key: calm})
    assert (await told.ask("POST", path, {"who": "ann"})).status_code == 409


def test_every_route_has_a_scope_and_changes_need_the_higher_one() -> None:
    looks = {"/v1/backtest", "/v1/slos/{name:path}/whatif"}  # they change nothing
    hints = [one for one in ROUTES if one.path.startswith(("/v1/hints", "/compat/", "/apis")) and one.method == "GET"]
    others = [one for one in ROUTES if one.path not in {"/v1/audit", *looks} and one not in hints]

    assert {(one.method == "GET", one.scope) for one in others} == {(True, Scope.READ), (False, Scope.ADMIN)}
    assert {one.scope for one in hints} == {Scope.HINTS}, "a controller sees no dashboards"
    assert [one.scope for one in ROUTES if one.path == "/v1/audit"] == [Scope.ADMIN], "who changed what is for few"
    assert {one.scope for one in ROUTES if one.path in looks} == {Scope.READ}
    assert len({(one.method, one.path) for one in ROUTES}) == len(ROUTES)


def test_the_description_in_the_docs_is_that_of_the_routes() -> None:
    # To make it so: inferometer slo openapi > docs/openapi.json
    docs = Path(__file__).parent.parent.parent / "docs" / "openapi.json"
    kept = json.loads(docs.read_text())

    assert description(kept["info"]["version"]) == kept
