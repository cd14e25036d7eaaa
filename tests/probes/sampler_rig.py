"""A sampler on the fake driver, and what to wait for."""

from collections.abc import Callable, Generator
from contextlib import contextmanager

from fake_gpus import FakeDriver

from probes.nvml_process import Sampler
from probes.nvml_sample import READINGS, GpuSample, Place

INTERVAL_S = 0.05
CALL_S = 0.2
STEPS_MAX = 400


class Told:
    def __init__(self) -> None:
        self.events: list[dict[str, object]] = []

    def __call__(self, fields: dict[str, object]) -> None:
        self.events.append(fields)


@contextmanager
def sampling(driver: FakeDriver, told: Told) -> Generator[Sampler]:
    """A sampler; at the end the driver lets go whoever hangs in it. The environment must name the driver."""
    with Sampler(Place(node="n1"), INTERVAL_S, told, call_s=CALL_S) as sampler:
        try:
            yield sampler
        finally:
            driver.does()


def until(sampler: Sampler, holds: Callable[[GpuSample], bool]) -> list[GpuSample]:
    """Step until a sample comes of which it holds; returns all that came."""
    came: list[GpuSample] = []
    for _ in range(STEPS_MAX):
        new = sampler.step(0.1)
        came += new
        if any(holds(sample) for sample in new):
            return came
    raise AssertionError(f"{STEPS_MAX} steps, {len(came)} samples, and none of them is it")


def whole(index: int) -> Callable[[GpuSample], bool]:
    return lambda sample: sample.gpu_index == index and sample.power_w is not None


def lacks(index: int, reason: str) -> Callable[[GpuSample], bool]:
    return lambda sample: sample.gpu_index == index and f"power_w: {reason}" in sample.missing


def assert_empty(sample: GpuSample) -> None:
    assert {getattr(sample, name) for name in READINGS} == {None}
    assert len(sample.missing) == len(READINGS)
