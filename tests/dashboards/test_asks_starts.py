"""Cold starts as rows of a panel, held to `slo.scaling.cold_start`, which hints are made by."""

from random import Random

import pytest
from panel_answers import Row, rows
from panel_rig import END_MS, PanelRig

from dashboards.asks_starts import PHASES, SHOWN_MAX, WORDS_MAX
from slo.panel_shown import PanelState
from slo.scaling.cold_start import SPAN_S, Phase, Told, cold_starts, starts

DAY_MS = 86_400_000
SPAN_MS = 1_000 * SPAN_S


def word(target: str, at_ms: int, replica: str = "", **took_us: int) -> Row:
    nothing = {f"{phase}_us": None for phase in PHASES}
    return {"at": at_ms / 1000, "target": target, "replica": replica, **nothing, "failed": 0, **took_us}


def told(row: Row) -> Told:
    took_s = {phase: row[f"{phase}_us"] / 1e6 for phase in Phase if row[f"{phase}_us"] is not None}
    return Told(at_s=row["at"], replica=row["replica"], took_s=took_s, failed=bool(row["failed"]))


def took(row: Row) -> dict[str, float]:
    """Return the phases that a row of the panel knows, in whole microseconds."""
    return {phase: round(row[phase], 6) for phase in PHASES if row[phase] is not None}


def a_past(target: str, random: Random) -> list[Row]:
    """Return what was told of up to sixty starts, some of it too late, twice, or of a replica that never came."""
    found: list[Row] = []
    for n in range(random.randrange(1, 60)):
        at_ms = END_MS - random.randrange(1, 30 * DAY_MS)
        replica = random.choice(("", "r0", "r1", f"r-{n}"))
        ready_us = random.randrange(1_000_000, 900_000_000)
        seen = {"init_us": random.randrange(ready_us)} if random.random() < 0.5 else {}
        found.append(word(target, at_ms, replica, ready_us=ready_us, **seen))
        for _ in range(random.randrange(4)):
            phase = random.choice(("schedule", "image", "weights", "init", "stable"))
            near_ms = at_ms + random.randrange(-SPAN_MS - 60_000, SPAN_MS + 60_000)
            of = random.choice((replica, replica, "r0", "never"))
            found.append(word(target, near_ms, of, **{f"{phase}_us": random.randrange(900_000_000)}))
    found.append(word(target, END_MS - 5_000, failed=1))
    return [one for one in found if END_MS - 30 * DAY_MS <= one["at"] * 1000 < END_MS]


@pytest.mark.parametrize("seed", range(8))
def test_words_make_the_same_starts_as_hints_are_made_by(past: PanelRig, seed: int) -> None:
    target = f"law-{seed}"
    words = a_past(target, Random(seed))  # noqa: S311 -- a past, no secret
    past.stored.insert_rows("cold_starts", words)
    known, by_start = cold_starts([told(one) for one in words]), starts([told(one) for one in words])
    p90, p50, *ones = rows(past, "hint.starts", target)

    assert known is not None
    assert {f"P90 of the last {known.lead.n}", f"P50 of the last {known.lead.n}"} == {p90["start"], p50["start"]}
    assert {phase: of.p90_s for phase, of in known.phases.items()} == pytest.approx(took(p90))
    assert {phase: of.p50_s for phase, of in known.phases.items()} == pytest.approx(took(p50))
    counted = {phase: of.n for phase, of in known.phases.items() if of.n != known.lead.n}
    assert ", ".join(f"{phase} of {counted[Phase(phase)]}" for phase in PHASES if phase in counted) == p90["note"]
    told_of = [(one["at"], took(one)) for one in ones if took(one)]
    expected = [
        (int(one.at_s), {phase: round(one.took_s[Phase(phase)], 6) for phase in PHASES if phase in one.took_s})
        for one in by_start
    ]
    assert sorted(expected, key=repr) == sorted(told_of, key=repr)
    assert [one["at"] for one in ones] == sorted((one["at"] for one in ones), reverse=True)
    assert [{}] == [took(one) for one in ones if one["note"] == "never ready: given up"]


def test_starts_that_come_at_once_are_apart(past: PanelRig) -> None:
    at_ms = END_MS - 60_000
    past.stored.insert_rows("cold_starts", [word("at-once", at_ms, ready_us=us) for us in (50_000_000, 60_000_000)])
    p90, _, *ones = rows(past, "hint.starts", "at-once")

    assert {("(no name)", 50.0), ("(no name)", 60.0)} == {(one["start"], one["ready"]) for one in ones}
    assert ("P90 of the last 2", 60.0, "") == (p90["start"], p90["ready"], p90["note"])


def test_the_newest_are_shown_and_the_last_twenty_count(past: PanelRig) -> None:
    whole = [
        word("many", END_MS - 60_000 * n - 1_000, f"r{n}", ready_us=1_000_000 * (n + 1)) for n in range(SHOWN_MAX + 1)
    ]
    past.stored.insert_rows("cold_starts", whole)
    p90, p50, *ones = rows(past, "hint.starts", "many")

    assert (18.0, 10.0) == (p90["ready"], p50["ready"])
    assert ["r0", "r1"] == [one["start"] for one in ones[:2]]
    assert (SHOWN_MAX, f"r{SHOWN_MAX - 1}") == (len(ones), ones[-1]["start"])


@pytest.mark.parametrize("n", [WORDS_MAX - 1, WORDS_MAX], ids=["as many as are read", "one more"])
def test_of_too_many_words_the_newest_are_read(past: PanelRig, n: int) -> None:
    target = f"words-{n}"
    past.stored.insert_rows("cold_starts", [word(target, END_MS - DAY_MS, "r0", ready_us=50_000_000)])
    past.stored.insert_rows("cold_starts", [word(target, END_MS - 1 - at, "other", image_us=1) for at in range(n)])

    assert (n < WORDS_MAX) == bool(rows(past, "hint.starts", target))


def test_a_month_is_told_however_short_the_time_that_is_asked_for(past: PanelRig) -> None:
    month_ms = 30 * DAY_MS
    ends_ms = (END_MS - month_ms - 1, END_MS - month_ms, END_MS - 1, END_MS)
    past.stored.insert_rows("cold_starts", [word("month", at_ms, ready_us=at_ms % 1_000) for at_ms in ends_ms])

    assert 2 + 2 == len(rows(past, "hint.starts", "month", **{"from": "now-5m"}))


def test_without_a_start_it_is_said_what_makes_one(past: PanelRig) -> None:
    past.stored.insert_rows("cold_starts", [word("parts", END_MS - 1_000, "r0", image_us=83_500_000)])
    answer = past.ask("hint.starts", **{"from": "now-1h", "endpoint": ["parts"]})

    assert (PanelState.LOCKED, []) == (answer.state, answer.rows)
    assert answer.unlock is not None
    assert "POST /v1/hints/TARGET/starts" in answer.unlock.flag
