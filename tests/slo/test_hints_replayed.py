"""The route that replays policies, over somebody who replays as a test says; the numbers are `inferometer`'s tests'."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from hints_asked import NAME, Asked
from views import NOW_S

from slo.api_parts import DAY_S, Beyond
from slo.api_reply import RETRY_S, ProblemError
from slo.hints_replayed import (
    POLICIES_MAX,
    POLICY_CHARS_MAX,
    SEEDS_MAX,
    SEEDS_USUAL,
    SPAN_S_MAX,
    PolicyReplayed,
    ReplayAsked,
    ReplayShown,
)
from slo.hints_target import Hinted
from slo.problem import ProblemCode

PATH = f"/v1/hints/{NAME}/whatif"
OURS: dict[str, Any] = {"policy": "ours"}
ONE = PolicyReplayed(
    policy="ours", seeds=1, attainment_ratio=0.99, attainment_low=None, attainment_high=None, gpu_h=8.0, gpu_h_low=None,
    gpu_h_high=None, gpu_h_over_oracle=None, good_per_gpu_h=10.0, goodput_rps=1.0, miss_minutes=0.0, queue_max_s=1.0,
    reversals_per_h=0.0, recovery_s=None, lost_in_drain=0, usd_per_mtok=None, pareto_rank=1, on_front=True,
    dominated_by=(), dominates=(),
)  # fmt: skip
SHOWN = ReplayShown(
    target=NAME, endpoint=NAME, since="", until="", requests=1, seeds=1, cold_start_s=300.0, cold_start_basis="",
    engine_basis="", gpus_per_replica=4, ttft_s=2.0, itl_s=None, objective_ratio=0.99, policies=(ONE,), burst=None,
    winner="ours", keeps_objective=True, manifest="kind: ScaledObject", notes=(),
)  # fmt: skip


class Replayer:
    """Replays nothing: it waits for a word if it is told to, and gives what it has.

    Attributes:
        asked: What it was asked for.
        gives: An answer, or a problem.
        gate: It answers once this is set.
        left: How many it was told to drop.
    """

    def __init__(self) -> None:
        self.asked = list[tuple[Hinted, ReplayAsked]]()
        self.gives: ReplayShown | ProblemError = SHOWN
        self.gate = asyncio.Event()
        self.gate.set()
        self.left = 0

    async def replay(self, target: Hinted, asked: ReplayAsked) -> ReplayShown:
        self.asked.append((target, asked))
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.left += 1
            raise
        if isinstance(self.gives, ProblemError):
            raise self.gives
        return self.gives


@pytest.fixture
def asked(tmp_path: Path) -> Asked:
    return Asked(tmp_path)


@pytest.fixture
def replayer(asked: Asked) -> Replayer:
    made = Replayer()
    asked.can(Beyond(replay=made.replay))
    return made


async def test_a_day_of_a_target_is_replayed_by_default(asked: Asked, replayer: Replayer) -> None:
    answer = await asked.said("POST", PATH, {"policy": "ours, kpa=8,ours"})
    ((target, told),) = replayer.asked

    assert (NAME, "ours", "kind: ScaledObject") == (target.name, answer["winner"], answer["manifest"])
    assert [1] == [one["pareto_rank"] for one in answer["policies"]]
    expected = ReplayAsked(
        policies=("ours", "kpa=8"), since_s=NOW_S - DAY_S, until_s=NOW_S, seeds=SEEDS_USUAL, objective_ratio=None
    )
    assert expected == told


async def test_what_is_asked_for_is_replayed(asked: Asked, replayer: Replayer) -> None:
    body = {**OURS, "from": "2026-09-20T00:00:00Z", "to": "2026-09-20T06:00:00+02:00", "seeds": SEEDS_MAX}
    await asked.said("POST", PATH, body)
    told = replayer.asked[0][1]

    assert (1_789_862_400, 4 * 3_600, SEEDS_MAX) == (told.since_s, told.until_s - told.since_s, told.seeds)


MANY = ",".join(f"kpa={n}" for n in range(1, POLICIES_MAX + 2))
LONG = {"from": "2016-09-20T00:00:00Z", "to": "2026-09-20T00:00:00Z"}
WRONG = [
    pytest.param({}, "body.policy", ("required",), id="no policy"),
    pytest.param({"policy": ""}, "body.policy", ("at least 1",), id="an empty one"),
    pytest.param({"policy": " ,"}, "body.policy", ("allowed: ours, static-peak",), id="a list of none"),
    pytest.param({"policy": ["ours"]}, "body.policy", ("valid string",), id="another kind of list"),
    pytest.param({"policy": "ours,mine"}, "body.policy", ("found policy 'mine'", "ours, static-peak"), id="nobody"),
    pytest.param({"policy": "kpa=-1"}, "body.policy", ("found policy 'kpa=-1'", "above 0"), id="no threshold"),
    pytest.param({"policy": "x" * (POLICY_CHARS_MAX + 1)}, "body.policy", ("at most 1000",), id="a long list"),
    pytest.param({"policy": MANY}, "body.policy", (f"found {POLICIES_MAX + 1} policies", "at most"), id="many"),
    pytest.param({**OURS, "seeds": 0}, "body.seeds", ("greater than",), id="no seed"),
    pytest.param({**OURS, "seeds": SEEDS_MAX + 1}, "body.seeds", (f"equal to {SEEDS_MAX}",), id="many seeds"),
    pytest.param({**OURS, "seeds": "9"}, "body.seeds", ("integer",), id="seeds in words"),
    pytest.param({**OURS, "from": "yesterday"}, "body.from", ("datetime",), id="no time"),
    pytest.param({**OURS, "from": "2026-09-20T00:00:00"}, "body.from", ("timezone",), id="a time without a zone"),
    pytest.param(
        {**OURS, "from": "2026-09-21T00:00:00Z", "to": "2026-09-20T00:00:00Z"},
        "body.from",
        ("found 2026-09-21T00:00:00Z", "before `to`, which is 2026-09-20T00:00:00Z"),
        id="an end before the start",
    ),
    pytest.param({**OURS, **LONG}, "body.from", ("found 315532800 s", f"at most {SPAN_S_MAX}"), id="ten years"),
    pytest.param({**OURS, "until": 1, "x": 2}, "body.x", ("not permitted",), id="an unknown key"),
]


@pytest.mark.parametrize(("body", "where", "words"), WRONG)
async def test_what_cannot_be_meant_names_the_key_what_was_found_and_what_is_allowed(
    asked: Asked, replayer: Replayer, body: Mapping[str, Any], where: str, words: tuple[str, ...]
) -> None:
    problem = await asked.said("POST", PATH, body, 400)
    texts = {one["where"]: one["text"] for one in problem["errors"]}

    assert "/problems/invalid-request" == problem["type"]
    assert all(word in texts[where] for word in words), texts
    assert [] == replayer.asked


async def test_what_is_no_json_is_a_problem(asked: Asked, replayer: Replayer) -> None:
    headers = {"Content-Type": "application/json"}
    for content in (b"{", b"", b"\xff", b"[" * 30_000, b'{"policy": "ours", "seeds": 1e999}'):
        answer = await asked.ask("POST", PATH, content=content, headers=headers)
        assert (400, "application/problem+json") == (answer.status_code, answer.headers["content-type"])
    assert 415 == (await asked.ask("POST", PATH, content=b"{}")).status_code
    assert [] == replayer.asked


async def test_a_target_that_there_is_not(asked: Asked, replayer: Replayer) -> None:
    problem = await asked.said("POST", "/v1/hints/nobody/whatif", OURS, 404)

    assert "there is no target nobody" == problem["detail"]
    assert [] == replayer.asked


async def running(group: asyncio.TaskGroup, asked: Asked) -> asyncio.Task[httpx.Response]:
    """Return a replay that runs already."""
    task = group.create_task(asked.ask("POST", PATH, OURS))
    for _ in range(40):
        await asyncio.sleep(0)
    assert not task.done()
    return task


async def test_one_at_a_time(asked: Asked, replayer: Replayer) -> None:
    replayer.gate.clear()
    async with asyncio.TaskGroup() as group:
        first = await running(group, asked)
        second = await asked.ask("POST", PATH, OURS)
        wrong = await asked.ask("POST", PATH, {})
        replayer.gate.set()
    third = await asked.ask("POST", PATH, OURS)

    assert (429, str(RETRY_S), "/problems/busy") == (
        second.status_code,
        second.headers["retry-after"],
        second.json()["type"],
    )
    assert [200, 400, 200] == [first.result().status_code, wrong.status_code, third.status_code]


async def test_a_problem_is_told_and_leaves_the_place(asked: Asked, replayer: Replayer) -> None:
    replayer.gives = ProblemError(ProblemCode.TOO_MUCH, "ask for less")
    problem = await asked.said("POST", PATH, OURS, 422)
    replayer.gives = SHOWN

    assert ("/problems/too-much", "ask for less") == (problem["type"], problem["detail"])
    await asked.said("POST", PATH, OURS)


async def test_who_leaves_ends_his_replay(asked: Asked, replayer: Replayer) -> None:
    replayer.gate.clear()
    body = b'{"policy": "ours"}'
    headers = [(b"host", b"127.0.0.1:8200"), (b"content-type", b"application/json"), (b"content-length", b"18")]
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "scheme": "http",
        "path": PATH, "raw_path": b"", "query_string": b"", "root_path": "", "headers": headers,
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 8200),
    }  # fmt: skip
    told, gone = [{"type": "http.request", "body": body, "more_body": False}], asyncio.Event()

    async def receive() -> dict[str, Any]:
        if told:
            return told.pop()
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(_message: object) -> None:
        pass

    async with asyncio.TaskGroup() as group:
        task = group.create_task(asked.app(scope, receive, send))
        for _ in range(40):
            await asyncio.sleep(0)
        assert (1, False) == (len(replayer.asked), task.done())
        gone.set()
    replayer.gate.set()

    assert 1 == replayer.left
    await asked.said("POST", PATH, OURS)


async def test_where_nothing_replays(asked: Asked) -> None:
    problem = await asked.said("POST", PATH, OURS, 404)

    assert "nothing is replayed here" == problem["detail"]
