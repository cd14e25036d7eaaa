"""The file of scaling targets: what it holds becomes targets, and what is wrong is named with its line."""

from pathlib import Path

import pytest

from inferometer.errors import ConfigurationError
from inferometer.hints_file import (
    GPUS_MAX,
    NAME_CHARACTERS_MAX,
    REPLICAS_MAX,
    SCHEDULES_MAX,
    TTL_S_MAX,
    Defaults,
    targets,
    usual_target,
)
from slo.hints_target import TARGETS_MAX, Hinted
from slo.scaling.codes import Mode, Role
from slo.scaling.schedule import schedule
from slo.scaling.settings import Settings, Target
from slo.scaling.wants import QueueMode

ALL = """\
targets:
  - name: llama70b-chat
    namespace: prod
    endpoint: chat
    model: llama
    variant: h100-tp4
    role: decode
    gpus_per_replica: 4
    min_replicas: 2
    max_replicas: 12
    ttft_s: 2.0
    itl_s: 0.05
    objective: 0.99
    slo: chat-good
    mode: active
    queue_mode: derived
    queue_depth_hi: 50
    ttl_s: 90
    usd_per_gpu_hour: 2.6
    hpa_tolerance: 0
    cold_penalty_usd: 0.5
    schedules:
      - {name: peak, cron: "0 14 * * 1-5", tz: America/New_York, duration: 3h, expected_rps: 20, pre_scale: 20m}
  - name: batch
    zero_allowed: true
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "targets.yaml"
    path.write_text(text)
    return path


def test_a_file_becomes_targets(tmp_path: Path) -> None:
    usual = Defaults(queue_depth_hi=60, ttl_s=45, usd_per_gpu_hour=2.0)
    peak = schedule("peak", "0 14 * * 1-5", "America/New_York", 10_800, expected_rps=20.0, pre_scale_s=1_200)
    chat = Settings(
        target=Target(
            name="llama70b-chat", namespace="prod", variant="h100-tp4", role=Role.DECODE, gpus_per_replica=4
        ),
        replicas_min=2, replicas_max=12, ttft_s=2.0, itl_s=0.05, mode=Mode.ACTIVE, queue_mode=QueueMode.DERIVED,
        queue_depth_hi=50, schedules=(peak,), usd_per_gpu_hour=2.6, hpa_tolerance=0.0, ttl_s=90,
    )  # fmt: skip
    batch = Settings(
        target=Target(name="batch"), replicas_min=0, zero_allowed=True, queue_depth_hi=60, usd_per_gpu_hour=2.0,
        ttl_s=45,
    )  # fmt: skip

    assert targets(written(tmp_path, ALL), usual) == (
        Hinted(
            settings=chat, endpoint="chat", model="llama", slo="chat-good", objective_ratio=0.99, cold_penalty_usd=0.5
        ),
        Hinted(settings=batch, endpoint="batch"),
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("targets: []", "a list of 1 to", id="none"),
        pytest.param("targets: [{name: A}]", ":1: targets[0].name: found 'A', allowed lower-case", id="a name"),
        pytest.param("targets:\n- {name: a}\n- {name: a}", ":3: targets[1].name: found 'a', allowed", id="twice"),
        pytest.param("targets: [{name: a, min_replicas: 0}]", "a whole number from 1", id="zero is not allowed"),
        pytest.param("targets: [{name: a, min_replicas: 1.5}]", "a whole number from 1", id="half a replica"),
        pytest.param("targets: [{name: a, min_replicas: 4, max_replicas: 3}]", "at least min_replicas", id="bounds"),
        pytest.param("targets: [{name: a, mode: frozen}]", "allowed advisory, active", id="a mode that is a state"),
        pytest.param("targets: [{name: a, ttl_s: 30}]", "a number from 31", id="a time to live that is too short"),
        pytest.param("targets: [{name: a, ttft_s: fast}]", "found 'fast', allowed a number", id="no number"),
        pytest.param("targets: [{name: a, replicas: 3}]", "unknown key", id="an unknown key"),
        pytest.param("targets: [{name: a, schedules: [{name: p, cron: x, tz: UTC}]}]", "schedules[0]", id="a cron"),
        pytest.param(
            'targets: [{name: a, schedules: [{name: p, cron: "0 1 * * *", tz: UTC, duration: 1y, min_replicas: 3}]}]',
            "for example 15m",
            id="a duration",
        ),
        pytest.param("a: 1", "targets", id="another key"),
        pytest.param("targets: [{name: a}]\n---\ntargets: [{name: b}]", "2 documents", id="two documents"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=r"targets\.yaml") as refused:
        targets(written(tmp_path, text))

    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("fits", "too_much"),
    [
        pytest.param(f"name: {'a' * NAME_CHARACTERS_MAX}", f"name: {'a' * (NAME_CHARACTERS_MAX + 1)}", id="name"),
        pytest.param(
            f"name: a, max_replicas: {REPLICAS_MAX}", f"name: a, max_replicas: {REPLICAS_MAX + 1}", id="replicas"
        ),
        pytest.param(f"name: a, gpus_per_replica: {GPUS_MAX}", f"name: a, gpus_per_replica: {GPUS_MAX + 1}", id="GPUs"),
        pytest.param(f"name: a, ttl_s: {TTL_S_MAX}", f"name: a, ttl_s: {TTL_S_MAX + 1}", id="ttl"),
    ],
)
def test_bounds(tmp_path: Path, fits: str, too_much: str) -> None:
    assert len(targets(written(tmp_path, f"targets: [{{{fits}}}]"))) == 1
    with pytest.raises(ConfigurationError):
        targets(written(tmp_path, f"targets: [{{{too_much}}}]"))


def test_bounds_of_lists(tmp_path: Path) -> None:
    peak = '{name: p, cron: "0 1 * * *", tz: UTC, min_replicas: 3}'
    for count, fits in ((TARGETS_MAX, True), (TARGETS_MAX + 1, False)):
        path = written(tmp_path, "targets:\n" + "".join(f"- {{name: t{n}}}\n" for n in range(count)))
        assert fits == _is_read(path)
    for count, fits in ((SCHEDULES_MAX, True), (SCHEDULES_MAX + 1, False)):
        path = written(tmp_path, f"targets: [{{name: a, schedules: [{', '.join([peak] * count)}]}}]")
        assert fits == _is_read(path)


def test_an_endpoint_that_nobody_named_is_a_target_of_its_name() -> None:
    found = usual_target("127.0.0.1:8000", usual=Defaults(ttl_s=45))

    assert (found.name, found.endpoint) == ("127.0.0.1-8000", "127.0.0.1:8000")
    assert (found.settings.mode, found.settings.replicas_min, found.settings.ttl_s) == (Mode.ADVISORY, 1, 45)
    assert usual_target("_").name == "endpoint"


def _is_read(path: Path) -> bool:
    try:
        return bool(targets(path))
    except ConfigurationError:
        return False
