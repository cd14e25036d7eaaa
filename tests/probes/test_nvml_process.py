"""The sampler kept running through what drivers do; real processes, the fake driver."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
from fake_gpus import FakeDriver
from sampler_rig import STEPS_MAX, Told, assert_empty, lacks, sampling, until, whole

from probes.nvml_process import LINE_BYTES_MAX, UNREACHABLE, Sampler, split
from probes.nvml_sample import decoded


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def sampler(driver_elsewhere: FakeDriver, told: Told, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sampler]:
    for name, value in driver_elsewhere.environment.items():
        monkeypatch.setenv(name, value)
    with sampling(driver_elsewhere, told) as sampler:
        yield sampler


def test_a_hung_call_is_a_gap_with_its_reason_and_the_other_gpus_go_on(
    sampler: Sampler, driver_elsewhere: FakeDriver, told: Told
) -> None:
    driver_elsewhere.does(gpus=2)
    until(sampler, whole(1))
    hung_pid = sampler.pid
    driver_elsewhere.does("hang=nvmlDeviceGetPowerUsage@0", gpus=2)

    came = until(sampler, lacks(0, "hung"))
    came += until(sampler, whole(1))

    assert told.events == [
        {"event": "gpu sampler failed", "gpu_index": 0, "reason": "hung", "call": "nvmlDeviceGetPowerUsage"}
    ]
    assert sampler.pid != hung_pid
    for sample in came:
        if lacks(0, "hung")(sample):
            assert_empty(sample)


def test_a_reloaded_driver_is_opened_again(sampler: Sampler, driver_elsewhere: FakeDriver, told: Told) -> None:
    until(sampler, whole(0))
    driver_elsewhere.does("epoch=1")

    came = until(sampler, lacks(0, "uninitialized"))
    until(sampler, whole(0))

    assert_empty(came[-1])
    assert [(event["gpu_index"], event["reason"]) for event in told.events] == [(None, "uninitialized")]


def test_a_killed_sampler_is_replaced(sampler: Sampler, told: Told) -> None:
    until(sampler, whole(0))
    assert sampler.pid is not None
    os.kill(sampler.pid, 9)

    until(sampler, lacks(0, "sampler_ended"))
    until(sampler, whole(0))

    assert [(event["reason"], event["call"]) for event in told.events] == [("sampler_ended", "exit -9")]


def test_without_a_driver_there_is_no_sample_and_it_is_told(
    sampler: Sampler, driver_elsewhere: FakeDriver, told: Told
) -> None:
    driver_elsewhere.does("gone=9")
    for _ in range(STEPS_MAX):
        assert sampler.step(0.05) == []
        if told.events:
            break

    assert told.events[0]["reason"] == "driver_not_loaded"


def test_lines_are_split_and_the_rest_is_kept_up_to_the_bound() -> None:
    assert split(b"a\n\nbc") == ([b"a", b""], b"bc")
    assert split(b"a\n" + b"x" * LINE_BYTES_MAX) == ([b"a"], b"x" * LINE_BYTES_MAX)
    assert split(b"a\n" + b"x" * (LINE_BYTES_MAX + 1)) == ([b"a"], b"")


def printed(driver: FakeDriver, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    argv = (sys.executable, "-m", "probes.nvml_process", "--interval", "0.12", *arguments)
    return subprocess.run(argv, env=os.environ | driver.environment, capture_output=True, check=False, timeout=60)


def test_one_sample_of_each_gpu_is_printed_with_its_means(driver_elsewhere: FakeDriver) -> None:
    driver_elsewhere.does(gpus=2)
    done = printed(driver_elsewhere, "--once", "--node", "n7", "--endpoint", "chat")
    samples = [decoded(line) for line in done.stdout.splitlines()]

    assert done.returncode == 0
    assert [(one.gpu_index, one.node, one.endpoint, one.tensor_ratio) for one in samples] == [
        (0, "n7", "chat", 0.5),
        (1, "n7", "chat", 0.5),
    ]


def test_samples_are_printed_for_so_many_seconds(driver_elsewhere: FakeDriver) -> None:
    done = printed(driver_elsewhere, "--seconds", "0.5")
    samples = [json.loads(line) for line in done.stdout.splitlines()]

    assert done.returncode == 0
    assert len(samples) >= 2
    assert [] in [one["missing"] for one in samples[1:]]
    # On a busy machine two rounds may come too close together for a mean.
    assert {gap.partition(": ")[2] for one in samples for gap in one["missing"]} == {"first_sample"}


def test_the_exit_status_for_no_gpu_is_that_of_an_unreachable_target() -> None:
    assert UNREACHABLE == 5  # design.md, exit codes
