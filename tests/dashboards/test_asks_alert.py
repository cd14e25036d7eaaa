"""What stood around an alert, over an hour of which everything is known: a GPU is throttled in its second half."""

import json
from typing import Any

import pytest
from panel_answers import known, rows
from panel_rig import END_MS, FULL, PanelRig

from dashboards.asks_alert import BURN_S, LEAD_S, context, exemplars, good, signal
from telemetry.queries.about import About
from telemetry.queries.asked import Asked, Dim, Pick, Source
from telemetry.queries.counted import Clause, Counted
from telemetry.queries.spent import CountedGroup
from telemetry.schema.objectives import SLO_MINUTES

PICK = Pick(source=Source.RAW, exact=True, since_ms=END_MS - 3_600_000, until_ms=END_MS)
NAME = "signal"
OF = CountedGroup(slo=NAME, definition_hash=7, group={"endpoint": FULL})
COUNTED_S = END_MS // 1000 - 5 * 86_400
"""End of an hour whose counts are stored: long ago, for other tests ask how far counts are behind requests."""
BEGAN_S = COUNTED_S - 1_200
"""Twenty minutes before the end half of the requests began to be bad; ten minutes later an alert began."""
Rows = list[dict[str, Any]]


def asked(about: About) -> Asked:
    return Asked(since_ms=PICK.since_ms, until_ms=PICK.until_ms, where={Dim.ENDPOINT: (FULL,)}, about=about)


def minute(at_s: int) -> tuple[object, ...]:
    bad = 50 if at_s >= BEGAN_S else 0
    values: dict[str, Any] = {
        "t": at_s, "slo": NAME, "group_key": json.dumps({"endpoint": FULL}), "definition_hash": 7, "revision": 0,
        "eligible": 100, "good": 100 - bad, "bad": {}, "censored_bad": 0, "excluded": {}, "n_null": {},
        "coverage": None, "computed_at": at_s * 1000,
    }  # fmt: skip
    return tuple(values[column.name] for column in SLO_MINUTES.insert_columns)


@pytest.fixture(scope="module")
def counted(past: PanelRig) -> PanelRig:
    made = [minute(at_s) for at_s in range(COUNTED_S - 7_200, COUNTED_S, 30)]
    past.writer.insert_rows(SLO_MINUTES, made, "signal-minutes")
    return past


def test_the_signal_of_an_objective_is_its_own_counts(counted: PanelRig) -> None:
    about = About(counted=OF, target=0.9, began_s=BEGAN_S + LEAD_S)
    hour = Asked(since_ms=(COUNTED_S - 3_600) * 1000, until_ms=COUNTED_S * 1000, step_s=60, about=about)
    found: Rows = counted.reader.query(signal(hour, PICK))
    at = {row["t"]: row for row in found}

    assert (60, COUNTED_S - 3_600) == (len(found), found[0]["t"])
    assert {200} == {row["n"] for row in found}
    assert (1.0, 0.5) == (at[BEGAN_S - 60]["sli"], at[BEGAN_S]["sli"])
    burn = [at[BEGAN_S + n]["burn"] for n in (-60, 0, BURN_S)]
    assert pytest.approx([0.0, 1.0, 5.0]) == burn, "a fifth of five minutes is half bad, then all of them"
    assert {(1.0, 0.0)} == {(row["sli_median"], row["burn_median"]) for row in found if row["t"] < BEGAN_S}
    assert pytest.approx((0.5, 5.0)) == (found[-1]["sli_median"], found[-1]["burn_median"])


def test_without_an_objective_the_signal_is_of_outcomes_and_nothing_burns(past: PanelRig) -> None:
    found = rows(past, "alert.signal", FULL)

    assert 60 == len(found)
    assert 0.96 < min(known(found, "sli")) <= max(known(found, "sli")) < 1.0
    assert set() == known(found, "burn") | known(found, "burn_median")


def test_good_requests_are_those_of_the_objective_or_of_outcomes(counted: PanelRig) -> None:
    hour = Asked(since_ms=(COUNTED_S - 3_600) * 1000, until_ms=COUNTED_S * 1000, step_s=60, about=About(counted=OF))
    found: Rows = counted.reader.query(good(hour, PICK))
    outcomes = rows(counted, "slo.series", FULL)

    assert (60, COUNTED_S - 3_600, {200}) == (len(found), found[0]["t"], {row["n"] for row in found})
    assert [1.0] * 40 + [0.5] * 20 == [row["good"] for row in found]
    assert [row["sli"] for row in rows(counted, "alert.signal", FULL)] == [row["good"] for row in outcomes]


def test_what_rises_from_nothing_is_first_and_has_no_ratio(past: PanelRig) -> None:
    found = rows(past, "alert.context", FULL)
    by_fact = {row["fact"]: row for row in found}

    assert ("throttled GPUs", 0.0, 1.0, None) == tuple(
        found[0][name] for name in ("fact", "before", "at_peak", "change")
    )
    assert (5.0, 5.0, 1.0, "requests") == tuple(
        by_fact["waiting"][name] for name in ("before", "at_peak", "change", "unit")
    )
    facts = [by_fact[name]["before"] for name in ("KV cache, fullest", "power of a GPU", "preemptions")]
    assert pytest.approx([0.6, 600.0, 0.2]) == facts
    assert "time to first token, p50" in by_fact
    assert 1.0 == by_fact["replicas that answer"]["at_peak"]


def test_before_ends_where_the_alert_began(past: PanelRig) -> None:
    """Begun at the end, the GPU was throttled for 20 of the 50 minutes before, and for all of the ten since."""
    found: Rows = past.reader.query(context(asked(About(began_s=END_MS // 1000)), PICK))
    (throttled,) = [row for row in found if row["fact"] == "throttled GPUs"]
    assert (0.0, 1.0) == (throttled["before"], throttled["at_peak"])
    late = About(began_s=END_MS // 1000 + LEAD_S + 60)
    assert {None} == {row["at_peak"] for row in past.reader.query(context(asked(late), PICK))}


def test_the_peak_is_the_minute_that_the_objective_finds_worst(past: PanelRig) -> None:
    late = Clause(sql="if(toUnixTimestamp(ended_at) >= $0, 0, 2)", values=(float(END_MS // 1000 - 300),))
    about = About(objective=Counted(name="late", good=late), began_s=END_MS // 1000 - 1_200)
    found: Rows = past.reader.query(context(asked(about), PICK))
    (bad,) = [row for row in found if row["fact"] == "bad"]

    assert (0.0, 1.0) == (bad["before"], bad["at_peak"])


def test_three_of_the_worst_and_one_that_is_like_the_others(past: PanelRig) -> None:
    found = rows(past, "alert.exemplars", FULL)
    longest = [row["elapsed"] for row in found if row["kind"] == "worst"]

    assert ["worst", "worst", "worst", "typical"] == [row["kind"] for row in found]
    assert sorted(longest, reverse=True) == longest
    assert found[3]["elapsed"] < longest[-1]
    assert {"stream_error"} == {row["ended"] for row in found}
    assert 4 == len({row["id"] for row in found})


def test_an_answer_that_an_objective_calls_bad_was_not_good_enough(past: PanelRig) -> None:
    none = Counted(name="none", good=Clause(sql="if(toString(model) = $0, 0, 0)", values=("",)))
    found: Rows = past.reader.query(exemplars(asked(About(objective=none)), PICK))

    assert "answered, not good enough" in {row["ended"] for row in found}
