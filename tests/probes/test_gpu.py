"""The feed over real sampler processes and the fake driver."""

from collections.abc import Callable, Sequence
from threading import Condition

import pytest
from fake_gpus import FakeDriver

from probes.gpu import GpuFeed, row_of
from probes.nvml_sample import Gap, Identity, Place, gap
from probes.probe import Row
from telemetry.samples import SAMPLES, GpuRow

PLACE = Place(node="n", endpoint="e", replica="r")


class Heard:
    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.words: list[tuple[str, object]] = []
        self._changed = Condition()

    def sink(self, rows: Sequence[Row]) -> None:
        with self._changed:
            self.rows += rows
            self._changed.notify_all()

    def tell(self, text: str, **fields: object) -> None:
        with self._changed:
            self.words.append((text, fields["reason"]))
            self._changed.notify_all()

    def wait(self, condition: Callable[[], object]) -> bool:
        with self._changed:
            return bool(self._changed.wait_for(condition, 20))

    def wait_until_ended(self, feed: GpuFeed) -> bool:
        """Wait, as nothing is told when a feed ends; returns whether it still lives."""
        with self._changed:
            for _ in range(200):
                if not feed.is_alive:
                    break
                self._changed.wait(0.1)
        return feed.is_alive


def test_every_column_comes_from_the_sample() -> None:
    sample = gap(Identity(gpu_index=3, gpu_uuid="GPU-1", gpu_name="H"), PLACE, 17, Gap.HUNG)
    row = row_of(sample)

    assert [getattr(row, column.name) for column in SAMPLES[GpuRow].table.insert_columns] == [
        getattr(sample, column.name) for column in SAMPLES[GpuRow].table.insert_columns
    ]
    assert (row.gpu_index, row.power_w, row.node) == (3, None, "n")


@pytest.fixture
def environment(driver_elsewhere: FakeDriver, monkeypatch: pytest.MonkeyPatch) -> FakeDriver:
    for name, value in driver_elsewhere.environment.items():
        monkeypatch.setenv(name, value)
    return driver_elsewhere


def test_samples_of_every_gpu_come_as_rows(environment: FakeDriver) -> None:
    environment.does(gpus=2)
    heard = Heard()
    feed = GpuFeed(PLACE, 0.1, heard.sink, heard.tell)
    feed.start()
    came = heard.wait(lambda: {row.gpu_index for row in heard.rows if isinstance(row, GpuRow)} == {0, 1})
    feed.stop()

    assert came
    assert not feed.is_alive
    assert heard.words == []


def test_what_keeps_failing_is_told_once(environment: FakeDriver) -> None:
    environment.does("hang=nvmlDeviceGetPowerUsage@0")
    heard = Heard()
    feed = GpuFeed(PLACE, 0.1, heard.sink, heard.tell)
    feed.start()
    told = heard.wait(lambda: heard.words)
    environment.does()  # lets go the sampler that hangs
    feed.stop()

    assert told
    assert heard.words == [("gpu sampler failed", "hung")]


@pytest.mark.parametrize("expected", [False, True])
def test_without_a_driver_library_it_ends_unless_a_gpu_is_expected(
    expected: bool,
) -> None:
    heard = Heard()
    feed = GpuFeed(PLACE, 0.1, heard.sink, heard.tell, expected=expected)
    feed.start()
    if expected:
        assert heard.wait(lambda: heard.words)
        assert feed.is_alive
        assert heard.words == [("gpu sampler failed", "library_not_found")]
    else:
        assert not heard.wait_until_ended(feed)
        assert heard.words == []
    feed.stop()
    assert heard.rows == []
