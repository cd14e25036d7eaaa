"""Latency budgets of flows with several stages."""

from slo.stages import (
    MEDIA_PIPELINE,
    STAGES_MAX,
    UPPER_BOUND,
    VIDEO_S_LEAST,
    Stage,
    notes,
    slowest,
    times,
    unusual,
    upper_bound_s,
)


def row(stage: int, p99_s: float | None, over_s: float = 0.0) -> dict[str, object]:
    return {
        "stage": stage,
        "n": 9,
        "done": 8,
        "p50_s": 1.0,
        "p95_s": 2.0,
        "p99_s": p99_s,
        "mean_s": 1.5,
        "over_s": over_s,
    }


def test_the_sum_of_percentiles_is_an_upper_bound() -> None:
    found = times([row(0, 41.0), row(1, 4.0), row(2, 40.0), row(3, 5.0)], MEDIA_PIPELINE, 50.0)

    assert ["", "text-to-image", "image-to-video", "voiceover"] == [one.name for one in found]
    assert (41.0, 49.0) == (found[0].p99_s, upper_bound_s(found))  # A18: 49 s is the bound, never the P99 of the flow
    assert [50.0, 4.0, 40.0, 5.0] == [one.budget_s for one in found]
    assert "only if all stages are slow together" in UPPER_BOUND


def test_what_takes_longer_than_is_usual_is_told() -> None:
    stage = Stage(name="a", match="ok", budget_s=9, p50_s=0.9, p95_s=2.0)
    late, silent = (
        times([row(1, 4.0)], [stage], 50.0),
        times([row(1, 4.0)], [Stage(name="a", match="ok", budget_s=9)], 50.0),
    )
    (endless,) = times([row(1, None) | {"p50_s": None, "p95_s": None}], [stage], 50.0)

    assert unusual(late[0]) == ("P50 above 0.9 s",), "two seconds at the P95 are usual"
    assert unusual(silent[0]) == ()
    assert unusual(endless) == ("P50 above 0.9 s", "P95 above 2 s")


def test_a_stage_that_is_not_done_has_no_upper_bound() -> None:
    assert upper_bound_s(times([row(0, None), row(1, 4.0), row(2, None)], MEDIA_PIPELINE, 50.0)) is None


def test_the_stage_that_took_most_beyond_its_budget_is_named_with_its_share() -> None:
    found = times([row(0, 41.0, 99.0), row(1, 4.0, 1.0), row(3, 40.0, 3.0)], MEDIA_PIPELINE, 50.0)
    most = slowest(found)

    assert most is not None
    assert ("voiceover", 0.75) == (most[0].name, most[1])
    assert slowest(found[:1]) is None, "the flow is no stage"


def test_the_stages_of_a_media_pipeline_fit_its_budget() -> None:
    assert () == notes(MEDIA_PIPELINE, 50.0)
    assert ("the budgets of the stages add up to 49 s, more than the 20 s of the flow",) == notes(MEDIA_PIPELINE, 20.0)
    assert 49.0 == sum(stage.budget_s for stage in MEDIA_PIPELINE)
    assert len(MEDIA_PIPELINE) <= STAGES_MAX


def test_video_in_less_than_a_second_is_not_feasible() -> None:
    quick, enough = (Stage(name="video", match="ok", budget_s=budget) for budget in (0.99, VIDEO_S_LEAST))

    assert ("stage video is to take 0.99 s: video in less than a second is not feasible",) == notes([quick], 50.0)
    assert () == notes([enough], 50.0)
