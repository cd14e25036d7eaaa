"""Knows how to read one GPU and its slices through NVIDIA's management library; refuses to know when and for whom.

Each call may fail alone: then its readings are missing, with the reason, and the others stand. Only a lost device or a
lost driver ends a reading.

Source: spec/measurement.md 16; pynvml.py of nvidia-ml-py 13.615.71 for each name, structure and unit.
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator

from probes.nvml_board import CALL_S_MAX, NO_GPU, OPEN_S_MAX
from probes.nvml_calls import Announce, CallError, Calls, NvmlError, lib, translated
from probes.nvml_gpm import METRICS, Gpm
from probes.nvml_sample import READINGS, Gap, GpuProcess, GpuSample, Identity, Place, Readings

XID_EVENTS_MAX = 64
"""Error events of one GPU taken in one reading."""

_ALL_LINKS = 0xFFFFFFFF
"""Scope of a link counter: the sum over all links."""
_FIELDS: dict[str, tuple[int, int, float]] = {
    "mem_temp_c": (82, 0, 1),
    "ecc_dbe": (4, 0, 1),
    "remap_pending": (144, 0, 1),
    "remap_failure": (145, 0, 1),
    "nvlink_tx_bytes": (138, _ALL_LINKS, 1024),
    "nvlink_rx_bytes": (139, _ALL_LINKS, 1024),
    "pcie_tx_bytes": (197, 0, 1),
    "pcie_rx_bytes": (198, 0, 1),
}
"""Reading -> numbered field, scope, factor to our unit. Numbers, because older bindings lack the names of some."""
_UNION = ("dVal", "uiVal", "ulVal", "ullVal", "sllVal", "siVal", "usVal")
"""Member of the value union by value type."""
_OF_MEMORY = ("mem_used_bytes", "mem_total_bytes", "processes")
_OF_THE_WHOLE = tuple(name for name in READINGS if name not in {*_OF_MEMORY, *METRICS})
_TEMPERATURE = ("nvmlDeviceGetTemperatureV", "nvmlDeviceGetTemperature")
_REASONS = ("nvmlDeviceGetCurrentClocksEventReasons", "nvmlDeviceGetCurrentClocksThrottleReasons")


class Nvml:
    """An open library.

    Attributes:
        count: GPUs that the driver knows.
    """

    def __init__(self, board: Announce, call_s: float = CALL_S_MAX) -> None:
        """Open the library.

        Args:
            board: Where calls are announced.
            call_s: Deadline of every call but the first.

        Raises:
            NvmlError: There is no library or no driver.
        """
        self._calls = Calls(board, call_s)
        self._calls("nvmlInitWithFlags", 0, limit_s=OPEN_S_MAX)
        self.count = int(self._calls("nvmlDeviceGetCount"))
        self._devices: dict[int, _Device] = {}

    def close(self) -> None:
        """Give everything back; a library that no longer answers is left as it is."""
        while self._devices:
            with contextlib.suppress(NvmlError):
                self._devices.popitem()[1].close()
        with contextlib.suppress(NvmlError):
            self._calls("nvmlShutdown")

    def read(self, gpu_index: int, place: Place, clock_ms: Callable[[], int]) -> list[GpuSample]:
        """Read one GPU: its own record first, then one for each of its slices.

        Args:
            gpu_index: Number in the driver's order.
            place: Where this is.
            clock_ms: Wall clock, unix milliseconds.

        Raises:
            DeviceLostError: This GPU answers no more.
            DriverLostError: None does.
            CallError: It does not say who it is.
        """
        self._calls.gpu_index = gpu_index
        try:
            device = self._devices.get(gpu_index)
            if device is None:
                device = self._devices[gpu_index] = _Device(self._calls, gpu_index)
            return [readings.sample(identity, place, clock_ms()) for identity, readings in device.read()]
        finally:
            self._calls.gpu_index = NO_GPU


class _Device:
    """One GPU: its handle, its error events, its profiling counters."""

    def __init__(self, calls: Calls, gpu_index: int) -> None:
        self._calls = calls
        self._handle: object = calls("nvmlDeviceGetHandleByIndex", gpu_index)
        self._identity = Identity(
            gpu_index=gpu_index,
            gpu_uuid=str(calls("nvmlDeviceGetUUID", self._handle)),
            gpu_name=str(calls("nvmlDeviceGetName", self._handle)),
        )
        self._events, self._no_events = self._listen()
        self._gpm = Gpm(calls, self._handle)
        self._gpm_of_slice: dict[int, Gpm] = {}

    def close(self) -> None:
        for gpm in (self._gpm, *self._gpm_of_slice.values()):
            gpm.close()
        if self._events is not None:
            self._calls("nvmlEventSetFree", self._events)

    def read(self) -> Iterator[tuple[Identity, Readings]]:
        readings = Readings()
        self._read_whole(readings)
        self._read_memory(self._handle, readings)
        self._gpm.read(readings)
        yield self._identity, readings
        for handle in self._slices():
            with contextlib.suppress(CallError):  # it was taken apart meanwhile
                yield self._read_slice(handle)

    def _listen(self) -> tuple[object | None, Gap]:
        """Open a set of error events of this GPU alone, so that an event needs no look at its handle."""
        try:
            events: object = self._calls("nvmlEventSetCreate")
            self._calls("nvmlDeviceRegisterEvents", self._handle, lib.nvmlEventTypeXidCriticalError, events)
        except CallError as error:
            return None, error.reason
        return events, Gap.NO_DATA

    def _ask(self, readings: Readings, read: Callable[[], Iterable[float]], *names: str) -> None:
        """Put what `read` gives; a failure that concerns this call alone makes its readings missing."""
        try:
            for name, value in zip(names, read(), strict=True):
                readings.put(name, value)
        except CallError as error:
            readings.lack(error.reason, *names)

    def _read_whole(self, readings: Readings) -> None:
        call, first, gpu, ask = self._calls, self._calls.first_of, self._handle, self._ask
        ask(readings, self._utilisation, "gpu_util_ratio", "mem_busy_ratio")
        ask(readings, lambda: [call("nvmlDeviceGetPowerUsage", gpu) / 1000], "power_w")
        ask(readings, lambda: [call("nvmlDeviceGetEnforcedPowerLimit", gpu) / 1000], "power_limit_w")
        ask(readings, lambda: [call("nvmlDeviceGetTotalEnergyConsumption", gpu) / 1000], "energy_j")
        ask(readings, lambda: [first(_TEMPERATURE, gpu, lib.NVML_TEMPERATURE_GPU)], "temp_c")
        ask(readings, lambda: [call("nvmlDeviceGetClockInfo", gpu, lib.NVML_CLOCK_SM)], "sm_mhz")
        ask(readings, lambda: [call("nvmlDeviceGetMaxClockInfo", gpu, lib.NVML_CLOCK_SM)], "sm_max_mhz")
        ask(readings, lambda: [call("nvmlDeviceGetClockInfo", gpu, lib.NVML_CLOCK_MEM)], "mem_mhz")
        ask(readings, lambda: [first(_REASONS, gpu)], "throttle_bits")
        self._read_fields(readings)
        self._read_events(readings)

    def _utilisation(self) -> tuple[float, float]:
        rates = self._calls("nvmlDeviceGetUtilizationRates", self._handle)
        return rates.gpu / 100, rates.memory / 100

    def _read_fields(self, readings: Readings) -> None:
        """Read the values that exist only as numbered fields, all in one call, each with its own outcome."""
        wanted = [(field, scope) for field, scope, _ in _FIELDS.values()]
        try:
            answers = self._calls("nvmlDeviceGetFieldValues", self._handle, wanted)
        except CallError as error:
            readings.lack(error.reason, *_FIELDS)
            return
        for (name, (_, _, factor)), answer in zip(_FIELDS.items(), answers, strict=True):
            if answer.nvmlReturn:
                readings.lack(translated(answer.nvmlReturn, name).reason, name)
            else:
                member = _UNION[int(answer.valueType)]
                readings.put(name, getattr(answer.value, member) * factor)

    def _read_events(self, readings: Readings) -> None:
        """Take the error events that wait; the last one counts. A wait of 0 ms that finds none is no failure."""
        if self._events is None:
            readings.lack(self._no_events, "xid")
            return
        for _ in range(XID_EVENTS_MAX):
            try:
                event = self._calls("nvmlEventSetWait_v2", self._events, 0)
            except CallError as error:
                if error.reason is not Gap.NO_DATA:
                    readings.lack(error.reason, "xid")
                return
            readings.put("xid", event.eventData)

    def _read_memory(self, handle: object, readings: Readings) -> None:
        def memory() -> tuple[float, float]:
            told = self._calls("nvmlDeviceGetMemoryInfo", handle)
            return told.used, told.total

        self._ask(readings, memory, "mem_used_bytes", "mem_total_bytes")
        try:
            told = self._calls("nvmlDeviceGetComputeRunningProcesses_v3", handle)
        except CallError as error:
            readings.lack(error.reason, "processes")
            return
        readings.put_processes(GpuProcess(pid=one.pid, used_bytes=one.usedGpuMemory) for one in told)

    def _slices(self) -> list[object]:
        try:
            current, _ = self._calls("nvmlDeviceGetMigMode", self._handle)
            if current != lib.NVML_DEVICE_MIG_ENABLE:
                return []
            slices_n = int(self._calls("nvmlDeviceGetMaxMigDeviceCount", self._handle))
        except CallError:
            return []
        found: list[object] = []
        for at in range(slices_n):
            with contextlib.suppress(CallError):  # the numbers of the slices have holes
                found.append(self._calls("nvmlDeviceGetMigDeviceHandleByIndex", self._handle, at))
        return found

    def _read_slice(self, handle: object) -> tuple[Identity, Readings]:
        """Read a slice; what only the whole GPU has (power, clocks, errors) stays with the whole GPU."""
        identity = Identity(
            gpu_index=self._identity.gpu_index,
            gpu_uuid=self._identity.gpu_uuid,
            mig_uuid=str(self._calls("nvmlDeviceGetUUID", handle)),
            gpu_name=str(self._calls("nvmlDeviceGetName", handle)),
        )
        instance = int(self._calls("nvmlDeviceGetGpuInstanceId", handle))
        if instance not in self._gpm_of_slice:
            self._gpm_of_slice[instance] = Gpm(self._calls, self._handle, instance)
        readings = Readings()
        readings.lack(Gap.WHOLE_GPU, *_OF_THE_WHOLE)
        self._read_memory(handle, readings)
        self._gpm_of_slice[instance].read(readings)
        return identity, readings
