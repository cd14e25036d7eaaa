from report_rig import LIMITS, answers, look, warm

from loadtest.plan_spec import Objectives
from loadtest.report_look import BINS_LEAST, GROUPS, LATENCIES, TONE, TPOT, TTFO, TTFT
from loadtest.report_reduce import BINS_MAX
from loadtest.report_shapes import Rule
from telemetry.outcome import Outcome


def test_every_outcome_belongs_to_one_group() -> None:
    assert set(Outcome) == set(TONE)
    assert len(Outcome) == sum(len(outcomes) for _, outcomes in GROUPS.values())


def test_failures_are_those_of_the_population_only() -> None:
    rows = answers(10, failed=3)
    found = look([*map(warm, rows[:2]), *rows[2:]])

    assert (8, 5, 3) == (len(found.counted), len(found.good), found.failures)
    assert [103_000, 104_000, 105_000, 106_000, 107_000] == found.ordered(TTFT)


def test_an_objective_is_a_rule_and_that_of_several_classes_has_its_name() -> None:
    assert [Rule(axis="x", at=0.03, label="objective")] == look([]).rules(TPOT, "x")
    assert [] == look([]).rules(TTFO, "x")
    two = look([], {**LIMITS, "batch": Objectives(ttft_s=9.0)})
    assert ["objective of default", "objective of batch"] == [rule.label for rule in two.rules(TTFT, "y")]
    assert [None, None] == [one.limit(Objectives()) for one in LATENCIES if one.name in {"e2e", "max_gap"}]


def test_what_does_not_count_is_shaded() -> None:
    counted = {"n": 0, "window_ns": [5_000_000_000, 20_000_000_000]}
    found = look(answers(60), population=counted)

    assert [(0.0, 5.0, "warm-up, not counted"), (20.0, 29.5, "cool-down, not counted")] == [
        (one.first, one.until, one.label) for one in found.shades()
    ]
    assert [] == look(answers(60)).shades()


def test_the_time_axis_reaches_the_end_and_has_wider_bins_for_percentiles() -> None:
    few, many = look(answers(60)), look(answers(6000, gap_s=0.01))

    assert 30.0 == few.end_s
    assert few.bins.n > few.wide_bins.n >= BINS_LEAST / 2
    assert many.wide_bins.n <= BINS_MAX


def test_latency_counts_from_the_plan_or_from_the_answer_before() -> None:
    assert "the planned arrival" == look([]).since
    assert "the end of the answer before" == look([], loop="closed").since
