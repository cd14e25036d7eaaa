"""How the API has policies replayed: by a real process over a real store, which never outlives its question."""

import asyncio
import os
import signal
from pathlib import Path

import pytest
from whatif_rig import asked, insert, target

from inferometer.hints_whatif_process import REPLAY_S_MAX, SAID_BYTES_MAX, Replays
from slo.api_reply import ProblemError
from slo.problem import ProblemCode
from slo.scaling.policies.catalogue import NAMES
from telemetry.testing.store_process import StoreProcess

CHAT, LONG = "whatif-beside", "whatif-long"
MINUTES = asked(*NAMES, seeds=20)
"""What takes minutes, of `LONG`."""


@pytest.fixture(scope="module")
def stored(process: StoreProcess) -> StoreProcess:
    insert(process, CHAT, 100)
    insert(process, LONG, 15_000, every_ms=100)
    return process


def replays(process: StoreProcess, **more: float) -> Replays:
    return Replays(process.url, "reader", str(process.data / "secrets" / "store_reader"), **more)


def children() -> list[int]:
    """Return the processes that this one started and that replay."""
    own = Path(f"/proc/{os.getpid()}/task").glob("*/children")
    pids = [int(pid) for of in own for pid in of.read_text().split()]
    return [pid for pid in pids if b"hints_whatif" in Path(f"/proc/{pid}/cmdline").read_bytes()]


async def begun() -> int:
    """Wait until a process replays; returns its number."""
    async with asyncio.timeout(30):
        while not (found := children()):  # noqa: ASYNC110  # another process sets no event of ours
            await asyncio.sleep(0.01)
    return found[0]


async def problem(of: Replays, endpoint: str = LONG) -> ProblemError:
    with pytest.raises(ProblemError) as told:
        await of.replay(target(endpoint), MINUTES)
    return told.value


async def test_an_answer_comes_from_a_process_that_is_gone_then(stored: StoreProcess) -> None:
    found = await replays(stored).replay(target(CHAT), asked("ours", "kpa"))

    assert (100, {"ours", "kpa"}) == (found.requests, {one.policy for one in found.policies})
    assert [] == children()


async def test_what_is_refused_is_a_problem_that_names_the_key(stored: StoreProcess) -> None:
    found = await problem(replays(stored), "whatif-nobody")

    assert (ProblemCode.INVALID_REQUEST, "body.from") == (found.code, found.mistakes[0].where)


async def test_a_store_that_is_gone_is_its_own_problem(stored: StoreProcess) -> None:
    gone = Replays("http://127.0.0.1:1", "reader", str(stored.data / "secrets" / "store_reader"))

    assert ProblemCode.STORE_UNREACHABLE == (await problem(gone)).code


async def test_a_secret_that_is_gone_is_our_fault(stored: StoreProcess) -> None:
    assert ProblemCode.INTERNAL == (await problem(Replays(stored.url, "reader", "/nowhere"))).code


async def test_what_takes_too_long_is_ended(stored: StoreProcess) -> None:
    found = await problem(replays(stored, longest_s=2.0))

    assert (ProblemCode.TOO_MUCH, True) == (found.code, "not done within 2 s" in found.detail)
    assert [] == children()
    assert REPLAY_S_MAX == 60.0


async def test_a_process_that_is_killed_is_a_problem_and_the_next_one_answers(stored: StoreProcess) -> None:
    of = replays(stored)
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(problem(of))
        os.kill(await begun(), signal.SIGKILL)

    assert (ProblemCode.UNFINISHED, True) == (waiting.result().code, "ended by SIGKILL" in waiting.result().detail)
    assert 100 == (await of.replay(target(CHAT), asked("kpa"))).requests


async def test_the_end_of_the_service_ends_it_and_begins_nothing_more(stored: StoreProcess) -> None:
    of = replays(stored)
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(problem(of))
        await begun()
        of.close()
    again = await problem(of)

    assert [ProblemCode.UNFINISHED] * 2 == [waiting.result().code, again.code]
    assert [] == children()


async def test_who_gives_up_leaves_no_process(stored: StoreProcess) -> None:
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(replays(stored).replay(target(LONG), MINUTES))
        await begun()
        waiting.cancel()

    assert waiting.cancelled()
    assert [] == children()


async def test_a_process_that_says_too_much_is_ended(stored: StoreProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inferometer.hints_whatif_process.SAID_BYTES_MAX", 100)
    with pytest.raises(ProblemError, match="more than 100 bytes"):
        await replays(stored).replay(target(CHAT), asked("kpa"))

    assert [] == children()
    assert SAID_BYTES_MAX == 1 << 20
