"""Tests of probes.probe."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

import pytest

from probes import probe as loop
from probes.probe import AT_ONCE_MAX, PHASE_S_MAX, ROWS_MAX, Rounds, Row
from telemetry.samples import ProbeResult


def row(probe: str, outcome: str = "ok") -> ProbeResult:
    return ProbeResult(ts=1, target="t", probe=probe, outcome=outcome, ok=1)


class AtOnce(Random):
    """Lets every first run be due at once."""

    def random(self) -> float:
        return 0.0


@dataclass
class Asked:
    """A probe that does what it is told."""

    name: str
    ask_it: Callable[[], Coroutine[Any, Any, Sequence[Row]]]
    interval_s: float = 0.01
    limit_s: float = 5.0
    reasons: list[str] = field(default_factory=list[str])

    async def ask(self) -> Sequence[Row]:
        return await self.ask_it()

    def failed(self, reason: str) -> Sequence[Row]:
        self.reasons.append(reason)
        return [row(self.name, reason)]


@dataclass
class Heard:
    """Takes rows and words, and says when there were enough rows."""

    enough: int = 1
    rows: list[Row] = field(default_factory=list[Row])
    words: list[str] = field(default_factory=list[str])
    stop: asyncio.Event = field(default_factory=asyncio.Event)

    def sink(self, rows: Sequence[Row]) -> None:
        self.rows += rows
        if len(self.rows) >= self.enough:
            self.stop.set()

    def tell(self, text: str, **fields: object) -> None:
        self.words.append(f"{text} {fields}")

    async def of(self, *probes: Asked) -> Rounds:
        rounds = Rounds(probes, self.sink, self.tell, AtOnce())
        async with asyncio.timeout(20):
            await rounds.run(self.stop)
        return rounds


def answering(name: str = "good") -> Asked:
    async def ask() -> Sequence[Row]:
        return [row(name)]

    return Asked(name, ask)


async def test_a_probe_is_asked_again_and_again() -> None:
    heard = Heard(enough=3)
    rounds = await heard.of(answering())

    assert heard.rows[:3] == [row("good")] * 3
    assert rounds.tallies["good"].counts["ran"] >= 3
    assert heard.words == []


async def test_a_probe_that_raises_gives_the_rows_of_a_failed_round_and_stops_nothing_else() -> None:
    async def raise_it() -> Sequence[Row]:
        raise RuntimeError("secret words")

    heard, bad = Heard(enough=8), Asked("bad", raise_it)
    rounds = await heard.of(bad, answering())

    assert row("bad", "RuntimeError") in heard.rows
    assert row("good") in heard.rows
    assert rounds.tallies["bad"].trouble == "RuntimeError"
    assert len(heard.words) == 1, "a lasting failure is told once"
    assert "secret" not in heard.words[0]


async def test_a_probe_that_hangs_is_cut_off_at_its_limit() -> None:
    heard, hung = Heard(enough=1), Asked("hung", lambda: asyncio.sleep(3600, []), limit_s=0.02)
    rounds = await heard.of(hung)

    assert heard.rows[0] == row("hung", "no end within 0.02 s")
    assert rounds.tallies["hung"].counts["over_limit"] >= 1


async def test_a_probe_that_will_not_end_pauses_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "ENDING_S", 0.01)
    freed, running = asyncio.Event(), 0

    async def stubborn() -> Sequence[Row]:
        nonlocal running
        running += 1
        assert running == 1, "one run at a time"
        while not freed.is_set():
            try:
                await freed.wait()
            except asyncio.CancelledError:
                continue
        running -= 1
        return []

    heard = Heard(enough=10)

    async def free() -> Sequence[Row]:
        if len(heard.rows) >= 8:
            freed.set()
        return [row("good")]

    rounds = await heard.of(Asked("stuck", stubborn, limit_s=0.01), Asked("good", free))

    assert rounds.tallies["stuck"].counts["stuck"] >= 1
    assert rounds.tallies["stuck"].counts["raised"] == 0


async def test_a_probe_that_recovers_is_told_of() -> None:
    asked = 0

    async def second_time() -> Sequence[Row]:
        nonlocal asked
        asked += 1
        if asked == 1:
            raise OSError
        return [row("late")]

    heard = Heard(enough=2)
    rounds = await heard.of(Asked("late", second_time))

    assert [words.split(" {", maxsplit=1)[0] for words in heard.words] == ["probe failed", "probe runs again"]
    assert rounds.tallies["late"].trouble == ""


@pytest.mark.parametrize("beyond", [0, 1])
async def test_rows_beyond_the_bound_are_cut_and_counted(beyond: int) -> None:
    async def flood() -> Sequence[Row]:
        return [row("flood")] * (ROWS_MAX + beyond)

    heard = Heard()
    rounds = await heard.of(Asked("flood", flood, interval_s=60))

    assert len(heard.rows) == ROWS_MAX
    assert rounds.tallies["flood"].counts["rows_cut"] == beyond


async def test_rounds_that_were_missed_are_counted_and_not_made_up_for() -> None:
    runs = 0

    async def slow() -> Sequence[Row]:
        nonlocal runs
        runs += 1
        await asyncio.sleep(0.05)
        return [row("slow")]

    heard = Heard(enough=2)
    rounds = await heard.of(Asked("slow", slow))

    assert rounds.tallies["slow"].counts["missed"] >= 3
    assert runs <= 3


async def test_no_more_than_the_bound_ask_at_once() -> None:
    running = most = 0

    async def counted() -> Sequence[Row]:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.01)
        running -= 1
        return [row("x")]

    heard = Heard()
    probes = [Asked(str(n), counted) for n in range(AT_ONCE_MAX + 5)]
    await Rounds(probes, heard.sink, heard.tell, Random(1)).once()  # noqa: S311 -- seeded on purpose

    assert len(heard.rows) == AT_ONCE_MAX + 5
    assert most == AT_ONCE_MAX


async def test_the_first_runs_are_spread() -> None:
    class Late(Random):
        def random(self) -> float:
            return 1.0

    heard, probe = Heard(), answering()
    probe.interval_s = 0.3
    began_s = asyncio.get_running_loop().time()
    async with asyncio.timeout(PHASE_S_MAX):
        await Rounds([probe], heard.sink, heard.tell, Late()).run(heard.stop)

    assert asyncio.get_running_loop().time() - began_s >= probe.interval_s


def test_two_probes_of_one_name_are_refused() -> None:
    heard = Heard()

    with pytest.raises(ValueError, match="one name"):
        Rounds([answering(), answering()], heard.sink, heard.tell, Random(1))  # noqa: S311 -- seeded on purpose
