from collections.abc import Mapping

import pytest

from probes.finding import Finding, Word
from probes.workflow import STAGES_MAX, Stage, Workflow


class Told:
    """Finds what it was told to and keeps what it was given."""

    def __init__(self, found: Finding, limit_s: float = 10.0) -> None:
        self.limit_s = limit_s
        self.given: dict[str, str] = {}
        self._found = found

    async def find(self, given: Mapping[str, str]) -> Finding:
        self.given = dict(given)
        return self._found


def good(text: str = "", took_s: float = 1.0) -> Finding:
    return Finding(outcome="ok", ok=True, duration_us=int(took_s * 1e6), text=text)


BAD = Finding(outcome="server_error", ok=False, duration_us=500_000)


async def test_a_stage_gets_what_those_before_it_said() -> None:
    askers = [Told(good("once upon")), Told(good("http://image")), Told(good())]
    stages = [
        Stage(name=name, asker=asker, budget_s=5)
        for name, asker in zip(["script", "image", "video"], askers, strict=True)
    ]
    workflow = Workflow(stages, budget_s=5)

    found = await workflow.find({"subject": "a fox"})

    assert ("ok", True, 3_000_000, 3.0, {}) == (found.outcome, found.ok, found.duration_us, found.value, found.detail)
    assert [
        {"subject": "a fox"},
        {"subject": "a fox", "script": "once upon"},
        {"subject": "a fox", "script": "once upon", "image": "http://image"},
    ] == [asker.given for asker in askers]
    assert 30.0 == workflow.limit_s


@pytest.mark.parametrize(
    ("findings", "expected", "stage"),
    [
        ([good(), BAD, good()], ["ok", "server_error"], "b"),
        ([good(took_s=3), good()], [Word.LATE, "ok"], "a"),
        ([good(took_s=3), BAD], [Word.LATE, "server_error"], "b"),
        ([good(), good(), good(), good(took_s=1.5)], ["ok"] * 4, ""),
    ],
    ids=["a failure ends it", "late goes on", "late, then a failure", "each in time, the whole late"],
)
async def test_the_whole_says_what_went_wrong_first_of_all(
    findings: list[Finding], expected: list[str], stage: str
) -> None:
    stages = [Stage(name=name, asker=Told(one), budget_s=2) for name, one in zip("abcd", findings, strict=False)]

    found = await Workflow(stages, budget_s=4).find({})

    assert expected == [one.outcome for _, one in found.stages]
    assert not found.ok
    assert stage == found.detail.get("stage", "")
    assert (found.outcome == Word.LATE) == (BAD not in findings)


async def test_a_stage_without_a_time_leaves_the_whole_without_one() -> None:
    stages = [Stage(name="a", asker=Told(Finding(outcome="connect_error", ok=False)), budget_s=1)]

    assert (await Workflow(stages, budget_s=1).find({})).duration_us is None


def test_there_may_be_a_number_of_stages_that_people_can_read() -> None:
    assert 16 == STAGES_MAX
