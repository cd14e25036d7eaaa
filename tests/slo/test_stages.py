"""Latency budgets of flows with several stages."""

from slo.stages import MEDIA_PIPELINE, STAGES_MAX, VIDEO_S_LEAST, Stage, notes, upper_bound_s


def test_the_sum_of_percentiles_is_an_upper_bound() -> None:
    assert 49.0 == upper_bound_s([4.0, 40.0, 5.0])  # A18: shown as the bound, never as the P99 of the flow


def test_the_stages_of_a_media_pipeline_fit_its_budget() -> None:
    assert () == notes(MEDIA_PIPELINE, 50.0)
    assert ("the budgets of the stages add up to 49 s, more than the 20 s of the flow",) == notes(MEDIA_PIPELINE, 20.0)
    assert 49.0 == sum(stage.budget_s for stage in MEDIA_PIPELINE)
    assert len(MEDIA_PIPELINE) <= STAGES_MAX


def test_video_in_less_than_a_second_is_not_feasible() -> None:
    quick, enough = (Stage(name="video", match="ok", budget_s=budget) for budget in (0.99, VIDEO_S_LEAST))

    assert ("stage video is to take 0.99 s: video in less than a second is not feasible",) == notes([quick], 50.0)
    assert () == notes([enough], 50.0)
