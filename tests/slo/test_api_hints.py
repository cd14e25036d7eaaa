"""The routes of hints over a desk that a test fills; the store is gone (spec/scaling.md 2, 3, acceptance A2, A9)."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hints_asked import AT_S, NAME, Asked
from hints_rig import target
from views import NOW_S, Told, seen

from slo import api_hints
from slo.desk import MARKERS_MAX
from slo.desk_records import Marker, MarkerKind
from slo.hints_acts import FREEZE_S_MAX, ActKind, HintAct
from slo.ledger import Ledger, Note
from slo.scaling.cold_start import PHASE_S_MAX, Phase


@pytest.fixture
def asked(tmp_path: Path) -> Asked:
    return Asked(tmp_path)


async def test_a_hint_has_its_bytes_for_a_tag_and_its_rest_for_an_age(asked: Asked) -> None:
    hint = asked.publish()
    answer = await asked.ask("GET", f"/v1/hints/{NAME}")
    tag = answer.headers["etag"]
    known = await asked.ask("GET", f"/v1/hints/{NAME}", headers={"If-None-Match": f'"0", W/{tag}'})
    every = await asked.said("GET", "/v1/hints")

    assert f"max-age={AT_S + 56 - NOW_S}" == answer.headers["cache-control"]
    assert hint.id == answer.json()["id"]
    assert (304, b"", tag) == (known.status_code, known.content, known.headers["etag"])
    assert [answer.json()] == every["hints"], "one that was never seen is not in the list"


@pytest.mark.parametrize("path", ["/v1/hints", f"/v1/hints/{NAME}"])
async def test_who_has_a_hint_is_told_that_it_was_renewed(asked: Asked, path: str) -> None:
    asked.publish()
    tag = (await asked.ask("GET", path)).headers["etag"]
    again = asked.publish()
    answer = await asked.ask("GET", path, headers={"If-None-Match": tag})

    assert (0, 200) == (again.seq, answer.status_code)
    assert again.expires_at in answer.text, "with the old end it is expired for whoever keeps to it"


async def test_what_is_over_has_a_tag_of_its_own(asked: Asked) -> None:
    asked.publish()
    tags = [(await asked.ask("GET", f"/v1/hints/{NAME}")).headers["etag"]]
    asked.now_s = AT_S + 57
    tags.append((await asked.ask("GET", f"/v1/hints/{NAME}")).headers["etag"])

    assert 2 == len(set(tags))


async def test_what_is_stale_is_no_data_and_what_is_unknown_is_404(asked: Asked) -> None:
    asked.publish(spec=5)
    asked.now_s = AT_S + 57
    over = await asked.said("GET", f"/v1/hints/{NAME}")

    assert ("no_data", 5, 0.0) == (over["action"], over["replicas"]["desired"], over["confidence"]["score"])
    for name in ("never", "unknown"):
        problem = await asked.said("GET", f"/v1/hints/{name}", status=404)
        assert problem["type"] == "/problems/not-found"


async def test_a_silent_store_gives_the_last_hint_and_then_503(asked: Asked) -> None:
    asked.publish()
    asked.desk_of.reached("the store is gone")
    assert "hold" == (await asked.said("GET", f"/v1/hints/{NAME}"))["action"]
    asked.now_s = AT_S + 57

    for path in (f"/v1/hints/{NAME}", "/v1/hints"):
        answer = await asked.ask("GET", path)
        assert (503, "application/problem+json") == (answer.status_code, answer.headers["content-type"])
    for path in ("history", "calibration"):
        assert 503 == (await asked.ask("GET", f"/v1/hints/{NAME}/{path}")).status_code
        assert 404 == (await asked.ask("GET", f"/v1/hints/unknown/{path}")).status_code


async def test_who_waits_for_news_is_woken_by_it_and_else_hears_nothing(asked: Asked) -> None:
    first = asked.publish()
    at_once = await asked.said("GET", f"/v1/hints/{NAME}?wait=30&after_seq=7")
    async with asyncio.TaskGroup() as group:
        waiting = [group.create_task(asked.ask("GET", f"/v1/hints/{NAME}?wait=30&after_seq=0")) for _ in range(2)]
        for _ in range(20):
            await asyncio.sleep(0)
        asked.publish()  # says the same
        news = asked.publish(arrivals_rps=14.0)
    one, other = (task.result() for task in waiting)
    nothing = await asked.ask("GET", f"/v1/hints/{NAME}?wait=0.01&after_seq={news.seq}")

    assert (first.id, 0) == (at_once["id"], at_once["seq"])
    assert one.content == other.content
    assert ("scale_up", 2) == (one.json()["action"], one.json()["seq"])
    assert (304, other.headers["etag"]) == (nothing.status_code, nothing.headers["etag"])


async def test_one_target_that_was_never_seen_hides_no_other_while_the_store_is_silent(asked: Asked) -> None:
    asked.desk_of.reached("the store is gone")
    assert 503 == (await asked.ask("GET", "/v1/hints")).status_code, "nothing is known yet"
    asked.publish()
    asked.desk_of.reached("the store is gone")

    assert [NAME] == [one["target"]["name"] for one in (await asked.said("GET", "/v1/hints"))["hints"]]
    assert 503 == (await asked.ask("GET", "/v1/hints/never")).status_code


async def waits(asked: Asked, group: asyncio.TaskGroup, query: str = "wait=30&after_seq=0") -> asyncio.Task[Any]:
    """Return a question that waits for news already."""
    task = group.create_task(asked.ask("GET", f"/v1/hints/{NAME}?{query}"))
    for _ in range(20):
        await asyncio.sleep(0)
    assert not task.done()
    return task


async def test_the_end_of_the_service_ends_all_waiting(asked: Asked) -> None:
    asked.publish()
    async with asyncio.TaskGroup() as group:
        waiting = await waits(asked, group)
        asked.desk_of.end()
    later = await asked.ask("GET", f"/v1/hints/{NAME}?wait=30&after_seq=0")

    assert [304, 304] == [waiting.result().status_code, later.status_code]


async def test_whoever_waits_while_the_store_goes_is_told_so(asked: Asked) -> None:
    asked.publish()
    async with asyncio.TaskGroup() as group:
        waiting = await waits(asked, group)
        asked.now_s = AT_S + 57
        asked.desk_of.reached("the store is gone")
        asked.desk_of.publish({})

    assert 503 == waiting.result().status_code


async def test_who_waits_leaves_a_place_when_he_goes_and_one_too_many_is_refused(
    asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked.publish()
    monkeypatch.setattr(api_hints, "WAITING_MAX", 1)
    gone = asyncio.Event()
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "http",
        "path": f"/v1/hints/{NAME}", "raw_path": b"", "query_string": b"wait=30&after_seq=0", "root_path": "",
        "headers": [(b"host", b"127.0.0.1:8200")], "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 8200),
    }  # fmt: skip

    async def receive() -> dict[str, Any]:
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(_message: object) -> None:
        pass

    async with asyncio.TaskGroup() as group:
        left = group.create_task(asked.app(scope, receive, send))
        for _ in range(20):
            await asyncio.sleep(0)
        crowded = await asked.ask("GET", f"/v1/hints/{NAME}?wait=30&after_seq=0")
        gone.set()
        await left
        waiting = await waits(asked, group)
        asked.publish(arrivals_rps=14.0)

    assert (503, "5") == (crowded.status_code, crowded.headers["retry-after"])
    assert "/problems/crowded" == crowded.json()["type"]
    assert 200 == waiting.result().status_code


async def test_one_who_waits_is_not_sent_away_by_the_crowd(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    asked.publish()
    monkeypatch.setattr(api_hints, "WAITING_MAX", 2)
    async with asyncio.TaskGroup() as group:
        waiting = [await waits(asked, group), await waits(asked, group)]
        asked.publish()  # says the same
        for _ in range(20):
            await asyncio.sleep(0)
        assert [False, False] == [one.done() for one in waiting]
        asked.publish(arrivals_rps=14.0)

    assert [200, 200] == [one.result().status_code for one in waiting]


async def test_one_who_waits_for_a_target_that_is_taken_away_is_told(asked: Asked) -> None:
    asked.publish()
    async with asyncio.TaskGroup() as group:
        waiting = await waits(asked, group)
        asked.desk_of.follow([target("never")])

    assert 404 == waiting.result().status_code


async def test_an_ack_is_kept_once_and_only_of_the_last_hint(asked: Asked) -> None:
    old = asked.publish()
    hint = asked.publish(arrivals_rps=14.0)
    body = {"hint_id": hint.id, "applied_replicas": 6, "actor": "keda", "automated": True}
    first = await asked.said("POST", f"/v1/hints/{NAME}/ack", body, 201)
    asked.now_s += 5
    again = await asked.said("POST", f"/v1/hints/{NAME}/ack", body, 201)
    superseded = await asked.said("POST", f"/v1/hints/{NAME}/ack", {**body, "hint_id": old.id}, 409)

    assert first == again
    assert f"seq {hint.seq}" in superseded["detail"]
    report = asked.acts.report(NAME, asked.now_s)
    assert report is not None
    assert 6 == report.replicas
    (marker,) = asked.desk.waiting_markers()
    assert ("scale", True, "keda", NAME) == (marker.kind, marker.automated, marker.actor, marker.endpoint)
    assert ["marker.create", "hint.ack"] == [one.action for one in reversed(asked.desk.acts(0, asked.now_s + 1))]


async def test_an_ack_in_the_second_of_a_report_is_kept_once_too(asked: Asked) -> None:
    hint = asked.publish()
    await asked.said("POST", f"/v1/hints/{NAME}/replicas", {"replicas": 4, "actor": "hpa"}, 201)
    body = {"hint_id": hint.id, "applied_replicas": 6, "actor": "keda"}
    first, again = [await asked.said("POST", f"/v1/hints/{NAME}/ack", body, 201) for _ in range(2)]

    assert first == again
    assert 1 == len(asked.desk.waiting_markers())
    report = asked.acts.report(NAME, asked.now_s + 1)
    assert report is not None
    assert 6 == report.replicas


async def test_an_ack_that_cannot_be_marked_does_not_hold(tmp_path: Path) -> None:
    body = msgspec.json.encode(Marker(at_s=NOW_S, kind=MarkerKind.SCALE, service=NAME, actor="x"))
    Ledger(tmp_path / "desk.sqlite").note("marker", [Note(name=str(n), body=body) for n in range(MARKERS_MAX)])
    asked = Asked(tmp_path)
    hint = asked.publish()
    ack = {"hint_id": hint.id, "applied_replicas": 6, "actor": "keda"}
    await asked.said("POST", f"/v1/hints/{NAME}/ack", ack, 409)

    assert asked.acts.report(NAME, asked.now_s) is None


async def test_a_freeze_is_audited_bounded_and_ended(asked: Asked) -> None:
    asked.publish()
    path = f"/v1/hints/{NAME}/freeze"
    body = {"until": "2026-09-21T15:00:00Z", "reason": "a sale", "who": "ann"}
    await asked.said("DELETE", f"{path}?who=ann&reason=done", status=404)
    made = await asked.said("POST", path, body, 201)
    frozen = asked.acts.freeze(NAME, asked.now_s)
    await asked.said("DELETE", f"{path}?who=bob&reason=done")  # within the same second
    await asked.said("DELETE", f"{path}?who=bob&reason=done", status=404)

    assert ("freeze", "ann", "a sale", None) == (made["kind"], made["actor"], made["reason"], made["replicas"])
    assert frozen is not None
    assert asked.acts.freeze(NAME, asked.now_s + 1) is None
    acts = [(one.action, one.actor) for one in asked.desk.acts(0, asked.now_s + 1)]
    assert [("hint.freeze", "ann"), ("hint.unfreeze", "bob")] == sorted(acts)


@pytest.mark.parametrize(("beyond_s", "status"), [(0, 201), (1, 400)])
async def test_a_freeze_holds_for_seven_days_at_most(asked: Asked, beyond_s: int, status: int) -> None:
    until = datetime.fromtimestamp(asked.now_s + FREEZE_S_MAX + beyond_s, UTC).isoformat().replace("+00:00", "Z")
    body = {"until": until, "reason": "a sale", "who": "ann"}

    await asked.said("POST", f"/v1/hints/{NAME}/freeze", body, status)


async def test_a_freeze_of_another_replica_is_ended_here(asked: Asked) -> None:
    asked.publish()
    path = f"/v1/hints/{NAME}/freeze?who=ann&reason=done"
    at_ms, until_ms = asked.now_s * 1000, (asked.now_s + 600) * 1000
    asked.shared.put_acts(
        [HintAct(at_ms=at_ms, target=NAME, kind=ActKind.FREEZE, actor="bob", until_ms=until_ms, reason="x")]
    )
    asked.shared.is_gone = True
    assert 503 == (await asked.ask("DELETE", path)).status_code, "whether there is one is not known"
    asked.shared.is_gone = False
    await asked.said("DELETE", path)

    assert {"freeze", "unfreeze"} == {one.kind for one in asked.shared.kept.values()}, "others find it at once"


async def test_a_report_that_is_repeated_is_audited_once(asked: Asked) -> None:
    for replicas in (4, 4, 5, 5, 4):
        await asked.said("POST", f"/v1/hints/{NAME}/replicas", {"replicas": replicas, "actor": "hpa"}, 201)
        asked.now_s += 60

    assert 3 == len(asked.desk.acts(0, asked.now_s + 1))
    report = asked.acts.report(NAME, asked.now_s)
    assert report is not None
    assert (asked.now_s - 60, 4) == (report.at_s, report.replicas), "it counts from when it was said last"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        pytest.param("freeze", {"until": "2026-09-21T15:00:00Z", "who": "ann"}, id="a freeze without a reason"),
        pytest.param(
            "freeze", {"until": "2026-09-21T15:00:00Z", "who": "ann", "reason": " "}, id="a freeze for no reason"
        ),
        pytest.param("freeze", {"until": "2026-10-21T15:00:00Z", "who": "ann", "reason": "x"}, id="one of a month"),
        pytest.param("freeze", {"until": "2020-10-21T15:00:00Z", "who": "ann", "reason": "x"}, id="one that is over"),
        pytest.param("replicas", {"replicas": -1, "actor": "x"}, id="fewer than none"),
        pytest.param("replicas", {"replicas": 2.5, "actor": "x"}, id="half a replica"),
        pytest.param("ack", {"hint_id": "", "applied_replicas": 1, "actor": "x"}, id="an ack of nothing"),
        pytest.param("starts", {"replica": "r"}, id="a start without a phase"),
        pytest.param("starts", {"replica": "", "image_s": 1}, id="a start of no replica"),
        pytest.param("starts", {"replica": "r", "image_s": -1}, id="less than no time"),
        pytest.param("starts", {"replica": "r", "image_s": PHASE_S_MAX + 1}, id="longer than a column holds"),
        pytest.param("starts", {"replica": "r", "image_s": "NaN"}, id="no number"),
        pytest.param("starts", {"replica": "r", "ready_s": 1}, id="a phase that we see ourselves"),
    ],
)
async def test_what_is_wrong_is_refused(asked: Asked, path: str, body: object) -> None:
    asked.publish()
    problem = await asked.said("POST", f"/v1/hints/{NAME}/{path}", body, 400)

    assert "/problems/invalid-request" == problem["type"]


async def test_a_report_is_kept(asked: Asked) -> None:
    said = await asked.said("POST", f"/v1/hints/{NAME}/replicas", {"replicas": 0, "actor": "hpa"}, 201)
    await asked.said("POST", "/v1/hints/unknown/replicas", {"replicas": 0, "actor": "hpa"}, 404)

    assert ("report", 0, "hpa") == (said["kind"], said["replicas"], said["actor"])


async def test_phases_of_a_start_are_told_and_kept_or_refused(asked: Asked) -> None:
    path, body = f"/v1/hints/{NAME}/starts", {"replica": "10.0.0.7:8000", "schedule_s": 4, "image_s": 83.5}
    assert 503 == (await asked.ask("POST", path, body)).status_code, "the store is gone: it is not kept"
    asked.starts.taken = []
    made = await asked.said("POST", path, body, 201)
    await asked.said("POST", "/v1/hints/unknown/starts", body, 404)

    assert {**body, "target": NAME, "at": made["at"], "weights_s": None, "init_s": None} == made
    ((name, told),) = asked.starts.taken
    assert (NAME, "10.0.0.7:8000", asked.now_s) == (name, told.replica, told.at_s)
    assert {Phase.SCHEDULE: 4.0, Phase.IMAGE: 83.5} == told.took_s


async def test_schedules_are_proposed_from_what_the_past_shows(asked: Asked) -> None:
    path = f"/v1/hints/{NAME}/proposals"
    none = await asked.said("GET", path)
    asked.history = {
        day * 86_400 + slot * 600: 14.0 if slot in range(60, 66) else 10.0
        for day in range(20, 34)
        for slot in range(144)
    }
    found = await asked.said("GET", path)
    await asked.said("GET", "/v1/hints/unknown/proposals", status=404)

    assert (0, 14, []) == (none["days"], none["days_needed"], none["proposals"])
    assert (14, ["0 10 * * 1-5", "0 10 * * 0,6"]) == (found["days"], [one["cron"] for one in found["proposals"]])
    assert "+40%" in found["proposals"][0]["text"]


async def test_without_targets_there_are_no_hints(tmp_path: Path) -> None:
    told = Told(tmp_path, seen())

    assert {"hints": []} == await told.said("GET", "/v1/hints")
    await told.said("GET", "/v1/hints/chat", status=404)
    await told.said("GET", "/v1/hints/chat/history", status=404)
