"""Routes that try something out, over histories that are handed in; over a store: tests/system/test_slo_trials.py."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from threading import Event

import pytest
from pasts import AT_S, failing
from views import NOW_S, Json, Told, judged, seen

from slo import api_trials
from slo.alertmanager_body import rfc3339
from slo.api import application
from slo.api_guard import hosts_of
from slo.api_parts import Beyond
from slo.api_trials import BACKTEST_S_MAX, INSTANTS_MAX
from slo.audit import Deed
from slo.errors import ObjectiveError
from slo.expression import parse
from slo.objective import Objective
from slo.past import Past
from slo.watched import Watched
from slo.whatif import WHATIF_S_MAX
from slo.wholes import Flow
from slo.windows import BUCKET_S

HOUR_S = 3_600
SPAN = {"from": rfc3339(AT_S - 600), "to": rfc3339(AT_S + HOUR_S)}


class Trials:
    """What only the whole program can do, as far as a test needs it."""

    def __init__(self) -> None:
        self.may_go, self.asked = Event(), Event()
        self.may_go.set()
        self.groups = 1

    def history(self, watching: Sequence[Watched], _since_s: int, _until_s: int) -> tuple[Sequence[Past], list[str]]:
        self.asked.set()
        self.may_go.wait(10)
        counted = failing(AT_S, 1_200, AT_S + HOUR_S)
        pasts = [Past(watched=one, group={"endpoint": "a"}, counted=counted) for one in watching]
        return pasts * self.groups, ["odd"]

    def policies(self, text: str) -> Sequence[Objective]:
        if text == "wrong":
            raise ObjectiveError("", "policy", "wrong", "SLO documents")
        return [replace(judged("another").watched.objective, target=0.5)]

    def test(self, name: str) -> Sequence[Mapping[str, object]] | None:
        row = {"channel": name, "host": "hook.example", "said": "firing", "result": "retry", "why": "no answer in time"}
        return [row, {**row, "result": "sent", "why": ""}] if name == "hook" else None


VIEW = seen(judged(), judged("well"))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Told, Trials]:
    """One for all tests; making one takes a quarter of a second."""
    told, trials = Told(tmp_path_factory.mktemp("trials"), VIEW), Trials()
    beyond = Beyond(history=trials.history, policies=trials.policies, test=trials.test)
    told.app = application(replace(told.parts, beyond=beyond), hosts_of("127.0.0.1", 8200), "0.0.0")
    return told, trials


@pytest.fixture
def trials(made: tuple[Told, Trials]) -> Trials:
    made[1].groups = 1
    made[1].asked.clear()
    return made[1]


@pytest.fixture
def told(made: tuple[Told, Trials], trials: Trials) -> Told:
    assert trials.may_go.is_set()
    made[0].view = VIEW
    return made[0]


async def test_policies_are_run_over_what_is_stored(told: Told) -> None:
    incident = {"start": rfc3339(AT_S), "end": rfc3339(AT_S + 1_200)}
    every = await told.said("POST", "/v1/backtest", {**SPAN, "incidents": [incident]})
    one = await told.said("POST", "/v1/backtest", {**SPAN, "slos": ["well"]})
    other = await told.said("POST", "/v1/backtest", {**SPAN, "policy": "kind: SLO"})

    assert {alarm["slo"] for alarm in every["alarms"]} == {"chat", "well"}
    assert (every["precision_ratio"], every["recall_ratio"], every["notes"]) == (1.0, 1.0, ["odd"])
    assert {alarm["slo"] for alarm in one["alarms"]} == {"well"}
    assert [curve["slo"] for curve in other["budget"]] == ["another"]
    assert other["pages"] <= one["pages"] == 1


REFUSED: list[tuple[str, Json]] = [
    ("an objective that there is not", {"slos": ["no"]}),
    ("a policy that is none", {"policy": "wrong"}),
    ("an end before the start", {"from": SPAN["to"], "to": SPAN["from"]}),
    ("a time that is too long", {"from": rfc3339(NOW_S - BACKTEST_S_MAX - 1), "to": rfc3339(NOW_S)}),
    ("an incident that ends before it begins", {"incidents": [{"start": SPAN["to"], "end": SPAN["from"]}]}),
    ("an unknown key", {"x": 1}),
]


@pytest.mark.parametrize("body", [body for _, body in REFUSED], ids=[name for name, _ in REFUSED])
async def test_what_cannot_be_run_is_refused(told: Told, body: Json) -> None:
    await told.said("POST", "/v1/backtest", body, status=400)


async def test_a_backtest_has_room_for_so_much(told: Told, trials: Trials) -> None:
    trials.groups = INSTANTS_MAX * 30 // (HOUR_S + 600) // 2 + 1
    refused = await told.said("POST", "/v1/backtest", SPAN, status=400)

    assert "too many for that time" in refused["detail"]


async def test_one_trial_at_a_time(told: Told, trials: Trials) -> None:
    trials.may_go.clear()
    async with asyncio.TaskGroup() as group:
        first = group.create_task(told.ask("POST", "/v1/backtest", SPAN))
        await asyncio.to_thread(trials.asked.wait, 10)
        second = await told.ask("POST", "/v1/backtest", SPAN)
        trials.may_go.set()

    assert (second.status_code, first.result().status_code) == (409, 200)
    assert (await told.ask("POST", "/v1/backtest", SPAN)).status_code == 200


async def test_a_target_is_tested_and_the_trail_says_who_did(told: Told) -> None:
    shown = await told.said("POST", "/v1/targets/hook/test", {"who": "ann"}, status=201)
    (act,) = told.desk.acts(NOW_S, NOW_S + 1)

    assert (shown["target"], shown["ok"]) == ("hook", False)
    assert [(one["host"], one["result"], one["why"]) for one in shown["told"]] == [
        ("hook.example", "retry", "no answer in time"), ("hook.example", "sent", ""),
    ]  # fmt: skip
    assert (act.actor, act.action, act.object) == ("ann", Deed.TARGET_TESTED, "hook")
    assert '"result":"retry"' in act.after
    await told.said("POST", "/v1/targets/no/test", {"who": "ann"}, status=404)
    await told.said("POST", "/v1/targets/hook/test", {}, status=400)
    assert len(told.desk.acts(NOW_S, NOW_S + 1)) == 1


WHATIFS: list[tuple[str, str, Json, int]] = [
    ("the store is gone", "chat", {}, 503),
    ("no objective", "no", {}, 404),
    ("no condition", "chat", {"good": "ttft_s <="}, 400),
    ("a target that cannot be", "chat", {"target": 1}, 400),
    ("no time", "chat", {"from": rfc3339(NOW_S - 10), "to": rfc3339(NOW_S - 5)}, 400),
    ("too long", "chat", {"from": rfc3339(NOW_S - WHATIF_S_MAX - 60)}, 400),
]


@pytest.mark.parametrize(("name", "body", "status"), [one[1:] for one in WHATIFS], ids=[one[0] for one in WHATIFS])
async def test_what_cannot_be_judged_anew_is_refused(told: Told, name: str, body: Json, status: int) -> None:
    await told.said("POST", f"/v1/slos/{name}/whatif", body, status=status)


class Counts:
    """A past in which two endpoints had so many buckets, of which those of one were bad."""

    def __init__(self, n: int) -> None:
        self._n = n

    def counted_anew(self, _one: Objective, since_s: int, _until_s: int) -> Sequence[Mapping[str, object]]:
        if since_s != SPAN_S[0]:
            return []
        rows = [
            {"group_key": f'{{"endpoint":"{name}"}}', "t_unix_s": SPAN_S[0], "eligible": 10, "good": good}
            for name, good in (("a", 10), ("b", 0))
        ]
        return rows * self._n


SPAN_S = (AT_S // BUCKET_S * BUCKET_S, AT_S // BUCKET_S * BUCKET_S + 2 * HOUR_S)


def counting(told: Told, n: int) -> Told:
    parts = replace(told.parts, lookback=Counts(n))  # type: ignore[arg-type]  # nothing else of it is asked
    told.app = application(parts, hosts_of("127.0.0.1", 8200), "0.0.0")
    return told


@pytest.mark.parametrize(
    ("query", "groups", "bad"),
    [
        pytest.param("", ["a", "b"], 10, id="all groups"),
        pytest.param('?group={"endpoint":"a"}', ["a"], 0, id="one group"),
        pytest.param('?group={"endpoint":"b"}', ["b"], 10, id="another group"),
    ],
)
async def test_a_group_is_judged_anew_alone(tmp_path: Path, query: str, groups: list[str], bad: int) -> None:
    told = counting(Told(tmp_path, seen(judged(endpoint="a"), judged(endpoint="b"))), 1)
    body = {"from": rfc3339(SPAN_S[0]), "to": rfc3339(SPAN_S[1])}
    found = await told.said("POST", f"/v1/slos/chat/whatif{query}", body)

    assert [one["group"]["endpoint"] for one in found["what_if"]["groups"]] == groups
    assert (found["as_is"]["bad"], found["what_if"]["bad"]) == (bad, bad)


@pytest.mark.parametrize(("more", "status"), [(0, 200), (1, 400)])
async def test_a_what_if_has_room_for_so_much(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: int, status: int
) -> None:
    monkeypatch.setattr(api_trials, "WHATIF_ROWS_MAX", 10)
    told = counting(Told(tmp_path, seen(judged(endpoint="a"), judged(endpoint="b"))), 10 + more)
    body = {"from": rfc3339(SPAN_S[0]), "to": rfc3339(SPAN_S[1])}
    path = '/v1/slos/chat/whatif?group={"endpoint":"a"}'
    found = await told.said("POST", path, body, status=status)

    assert status == 200 or "name one `group`" in found["detail"]


async def test_what_counts_flows_may_have_another_target_and_no_other_condition(told: Told) -> None:
    one = judged("flows")
    of = replace(one.watched.objective, whole=Flow(last=parse("ok"), budget_s=60))
    told.view = seen(replace(one, watched=replace(one.watched, objective=of)))

    await told.said("POST", "/v1/slos/flows/whatif", {"good": "ok"}, status=409)
    await told.said("POST", "/v1/slos/flows/whatif", {"target": 0.5}, status=503)


async def test_without_the_whole_program_there_is_nothing_to_try(tmp_path: Path) -> None:
    bare = Told(tmp_path, seen(judged()))
    found = await bare.said("POST", "/v1/backtest", SPAN)

    assert (found["alarms"], found["budget"]) == ([], [])
    await bare.said("POST", "/v1/targets/hook/test", {"who": "ann"}, status=404)
