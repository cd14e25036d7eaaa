"""The story of the demo: its steps, where it begins, and that its files are what they should be."""

from pathlib import Path
from random import Random

import pytest

from inferometer import demo_story as story
from inferometer import hints_file, slo_files
from slo.objective import ConditionKind


def test_steps_are_those_of_the_specification() -> None:
    assert [(0, "healthy"), (20, "fault"), (75, "healed"), (225, "small")] == [
        (step.at_s, step.act) for step in story.steps()
    ]
    assert (60, 150, 240) == (story.FIRING_BY_S, story.RESOLVED_BY_S, story.STORY_S)


@pytest.mark.parametrize(("now_unix_s", "expected"), [(1002.0, 1002), (1002.5, 1032), (1031.0, 1032), (1011.9, 1032)])
def test_a_fault_falls_just_behind_the_edge_of_a_bucket(now_unix_s: float, expected: int) -> None:
    begins_s = story.begins_s(now_unix_s)

    assert expected == begins_s
    assert story.BEHIND_S == (begins_s + story.FAULT_S) % story.EDGE_S
    assert story.begins_s(float(begins_s + story.STORY_S)) == begins_s + story.STORY_S, "stories follow on each other"


def test_the_same_seed_breaks_the_same_replica() -> None:
    broken = {story.victim(Random(seed), ["r-1", "r-0"]) for seed in range(20)}  # noqa: S311

    assert {"r-0", "r-1"} == broken
    assert story.victim(Random(3), ["r-0", "r-1"]) == story.victim(Random(3), ["r-1", "r-0"])  # noqa: S311


def test_the_files_are_read(tmp_path: Path) -> None:
    (tmp_path / "o.yaml").write_text(story.OBJECTIVES)
    (tmp_path / "t.yaml").write_text(story.TARGETS)
    (one,) = slo_files.loaded([tmp_path / "o.yaml"]).objectives
    (target,) = hints_file.targets(tmp_path / "t.yaml")
    (policy,) = one.policies

    assert (story.OBJECTIVE, 0, [ConditionKind.BURN_RATE]) == (
        one.name,
        policy.keep_firing_s,
        [condition.kind for condition in policy.conditions],
    )
    assert (story.TARGET, story.ENDPOINT, story.OBJECTIVE) == (target.name, target.endpoint, target.slo)
    assert (story.REPLICAS, story.REPLICAS_MAX) == (target.settings.replicas_min, target.settings.replicas_max)
    assert "simulated" in story.ENDPOINT
