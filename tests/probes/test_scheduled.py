import asyncio
from collections.abc import Mapping
from random import Random

import pytest

from probes.finding import Finding, Subject, Word
from probes.probe import Rounds, Row
from probes.scheduled import ENDING_S, Scheduled, Turn
from telemetry.samples import ProbeResult

SUBJECT = Subject(target="t", name="n", kind="completion")


class Fixed:
    """Finds what it was told to, and knows how many ask at once."""

    limit_s = 3.0

    def __init__(self, found: Finding, rest_s: float = 0.0) -> None:
        self.n_at_once = self.n_at_once_most = 0
        self._found = found
        self._rest_s = rest_s

    async def find(self, given: Mapping[str, str]) -> Finding:
        assert not given
        self.n_at_once += 1
        self.n_at_once_most = max(self.n_at_once_most, self.n_at_once)
        await asyncio.sleep(self._rest_s)
        self.n_at_once -= 1
        return self._found


async def test_what_is_found_becomes_rows() -> None:
    probe = Scheduled(SUBJECT, Fixed(Finding(outcome="ok", ok=True)), interval_s=60, turn=Turn())

    [row] = await probe.ask()

    assert isinstance(row, ProbeResult)
    assert ("t/n", 60, "t", "n", "ok", 1) == (probe.name, probe.interval_s, row.target, row.probe, row.outcome, row.ok)


async def test_probes_of_one_target_take_turns_in_the_loop() -> None:
    asker = Fixed(Finding(outcome="ok", ok=True), rest_s=0.005)
    turn = Turn()
    probes = [Scheduled(Subject(target="t", name=str(n), kind="k"), asker, interval_s=60, turn=turn) for n in range(4)]
    got: list[Row] = []
    rounds = Rounds(probes, got.extend, lambda *_, **__: None, Random(1))  # noqa: S311 -- phases

    await rounds.once()

    assert (4, 1) == (len(got), asker.n_at_once_most)
    assert {4 * 3.0 + ENDING_S} == {probe.limit_s for probe in probes}


async def test_a_spent_budget_is_told_once_a_day() -> None:
    probe = Scheduled(SUBJECT, Fixed(Finding(outcome=Word.OVER_BUDGET, ok=False)), interval_s=60, turn=Turn())

    counts = [len(await probe.ask()) for _ in range(3)]

    assert [1, 0, 0] == counts


def test_a_round_that_gave_nothing_is_a_row() -> None:
    probe = Scheduled(SUBJECT, Fixed(Finding(outcome="ok", ok=True)), interval_s=60, turn=Turn())

    [row] = probe.failed("no end within 8 s")

    assert (Word.NO_ANSWER, 0, None, {"kind": "completion", "reason": "no end within 8 s"}) == (
        row.outcome,
        row.ok,
        row.duration_us,
        row.detail,
    )


@pytest.mark.parametrize("name", ["a", "b"])
def test_a_name_is_of_target_and_probe(name: str) -> None:
    probe = Scheduled(
        Subject(target="x", name=name, kind="k"), Fixed(Finding(outcome="ok", ok=True)), interval_s=1, turn=Turn()
    )

    assert f"x/{name}" == probe.name
