"""Knows how to read the profiling counters of Hopper and newer GPUs; refuses to know other readings.

Each value is a mean between two samples of the counters. The two buffers take turns, so a reading costs one sample.

Source: spec/measurement.md 16 (ids, the rule for zeros); pynvml.py of nvidia-ml-py 13.615.71 (nvmlGpm*); NVIDIA's NVML
reference, "GPM Functions" (the two samples lie at least 100 ms apart).
"""

from typing import Any

from probes.nvml_calls import CallError, Calls, lib
from probes.nvml_sample import Gap, Readings
from telemetry.clock import monotonic_ns

APART_NS = 100_000_000
"""Least time between two samples."""
ABOVE_RATIO = 0.005
"""A mean that exceeds 1 by no more is the rounding of the counters and counts as 1."""
METRICS: dict[str, int] = {
    "sm_ratio": lib.NVML_GPM_METRIC_SM_UTIL,
    "sm_occ_ratio": lib.NVML_GPM_METRIC_SM_OCCUPANCY,
    "tensor_ratio": lib.NVML_GPM_METRIC_ANY_TENSOR_UTIL,
    "dram_bw_ratio": lib.NVML_GPM_METRIC_DRAM_BW_UTIL,
}
"""Reading -> metric, in percent."""


class Gpm:
    """The profiling counters of one GPU, or of one slice.

    Args:
        calls: The library.
        handle: The whole GPU.
        instance: GPU instance of the slice; None for the whole GPU.
    """

    def __init__(self, calls: Calls, handle: object, instance: int | None = None) -> None:
        self._calls, self._handle, self._instance = calls, handle, instance
        self._buffers: list[object] = []
        self._at_ns = 0
        self._refused = self._open()

    def close(self) -> None:
        """Give the buffers back."""
        while self._buffers:
            self._calls("nvmlGpmSampleFree", self._buffers.pop())

    def read(self, readings: Readings) -> None:
        """Put the means since the last reading."""
        if self._refused:
            readings.lack(self._refused, *METRICS)
            return
        try:
            before_ns, self._at_ns = self._at_ns, 0
            self._take()
            now_ns = self._at_ns = monotonic_ns()
            if before_ns and now_ns - before_ns >= APART_NS:
                self._put(self._compare(), readings)
            else:
                readings.lack(Gap.FIRST_SAMPLE, *METRICS)
        except CallError as error:
            readings.lack(error.reason, *METRICS)

    def _open(self) -> Gap | None:
        """Make the buffers; returns why there are no counters, None if there are."""
        try:
            if not self._calls("nvmlGpmQueryDeviceSupport", self._handle).isSupportedDevice:
                return Gap.NOT_SUPPORTED
            self._buffers = [self._calls("nvmlGpmSampleAlloc") for _ in range(2)]
        except CallError as error:
            return error.reason
        return None

    def _take(self) -> None:
        """Sample into the older buffer, which becomes the newer one."""
        self._buffers.reverse()
        if self._instance is None:
            self._calls("nvmlGpmSampleGet", self._handle, self._buffers[1])
        else:
            self._calls("nvmlGpmMigSampleGet", self._handle, self._instance, self._buffers[1])

    def _compare(self) -> Any:  # noqa: ANN401 -- a structure of the binding
        asked = lib.c_nvmlGpmMetricsGet_t()
        asked.version = lib.NVML_GPM_METRICS_GET_VERSION
        asked.numMetrics = len(METRICS)
        asked.sample1, asked.sample2 = self._buffers
        for at, metric in enumerate(METRICS.values()):
            asked.metrics[at].metricId = metric
        return self._calls("nvmlGpmMetricsGet", asked)

    @staticmethod
    def _put(told: Any, readings: Readings) -> None:  # noqa: ANN401 -- as above
        values = [told.metrics[at] for at in range(len(METRICS))]
        if readings.value("gpu_util_ratio") and not any(one.nvmlReturn or one.value for one in values):
            readings.lack(Gap.COUNTERS_HELD, *METRICS)
            return
        for name, one in zip(METRICS, values, strict=True):
            if one.nvmlReturn:
                readings.lack(Gap.NOT_SUPPORTED if one.nvmlReturn == lib.NVML_ERROR_NOT_SUPPORTED else Gap.OTHER, name)
            else:
                ratio = one.value / 100
                readings.put(name, 1.0 if 1.0 < ratio <= 1.0 + ABOVE_RATIO else ratio)
