from collections.abc import Iterator

import pytest
from fake_gpus import FakeDriver

from probes.nvml_board import CALL_S_MAX, NO_GPU
from probes.nvml_calls import CallError, Calls, DeviceLostError, DriverLostError, NvmlError, lib, translated
from probes.nvml_sample import Gap


class Notes:
    """A board that remembers."""

    def __init__(self) -> None:
        self.entered: list[tuple[str, int, float]] = []
        self.left_n = 0

    def enter(self, name: str, gpu_index: int, limit_s: float) -> None:
        self.entered.append((name, gpu_index, limit_s))

    def leave(self) -> None:
        self.left_n += 1


@pytest.fixture
def calls(driver: FakeDriver) -> Iterator[tuple[Calls, Notes]]:
    driver.does(gpus=3)
    notes = Notes()
    calls = Calls(notes)
    calls("nvmlInitWithFlags", 0)
    yield calls, notes
    calls("nvmlShutdown")


def test_a_call_is_announced_with_its_gpu_and_deadline_and_then_taken_back(calls: tuple[Calls, Notes]) -> None:
    call, notes = calls
    call.gpu_index = 2

    assert call("nvmlDeviceGetCount", limit_s=7.5) == 3
    assert notes.entered == [("nvmlInitWithFlags", NO_GPU, CALL_S_MAX), ("nvmlDeviceGetCount", 2, 7.5)]
    assert notes.left_n == 2


def test_a_failed_call_is_taken_back_too(calls: tuple[Calls, Notes], driver: FakeDriver) -> None:
    call, notes = calls
    driver.does("fail=nvmlDeviceGetCount_v2:3")

    with pytest.raises(CallError) as failed:
        call("nvmlDeviceGetCount")

    assert (failed.value.reason, failed.value.call) == (Gap.NOT_SUPPORTED, "nvmlDeviceGetCount")
    assert notes.left_n == len(notes.entered)


CODES = [
    pytest.param(lib.NVML_ERROR_NOT_SUPPORTED, CallError, Gap.NOT_SUPPORTED, id="not supported"),
    pytest.param(lib.NVML_ERROR_NO_PERMISSION, CallError, Gap.NO_PERMISSION, id="not allowed"),
    pytest.param(lib.NVML_ERROR_TIMEOUT, CallError, Gap.NO_DATA, id="nothing within the wait"),
    pytest.param(lib.NVML_ERROR_UNKNOWN, CallError, Gap.OTHER, id="any other"),
    pytest.param(lib.NVML_ERROR_GPU_IS_LOST, DeviceLostError, Gap.GPU_LOST, id="a lost GPU"),
    pytest.param(lib.NVML_ERROR_RESET_REQUIRED, DeviceLostError, Gap.RESET_REQUIRED, id="a GPU to be reset"),
    pytest.param(lib.NVML_ERROR_UNINITIALIZED, DriverLostError, Gap.UNINITIALIZED, id="a driver that was reloaded"),
    pytest.param(lib.NVML_ERROR_DRIVER_NOT_LOADED, DriverLostError, Gap.DRIVER_NOT_LOADED, id="no driver"),
    pytest.param(lib.NVML_ERROR_LIB_RM_VERSION_MISMATCH, DriverLostError, Gap.DRIVER_CHANGED, id="another driver"),
]


@pytest.mark.parametrize(("code", "kind", "reason"), CODES)
def test_a_code_says_how_much_is_lost(code: int, kind: type[NvmlError], reason: Gap) -> None:
    error = translated(code, "f")

    assert type(error) is kind
    assert error.reason is reason


def test_the_older_name_is_called_where_the_newer_one_is_not_there(calls: tuple[Calls, Notes]) -> None:
    call, notes = calls
    handle = call("nvmlDeviceGetHandleByIndex", 0)
    names = ("nvmlNeverInTheBinding", "nvmlDeviceGetTemperatureV", "nvmlDeviceGetTemperature")

    assert call.first_of(names, handle, lib.NVML_TEMPERATURE_GPU) == 61
    assert [name for name, *_ in notes.entered[-2:]] == list(names[1:])


def test_an_older_name_is_no_way_round_an_error(calls: tuple[Calls, Notes], driver: FakeDriver) -> None:
    call, _ = calls
    handle = call("nvmlDeviceGetHandleByIndex", 0)
    driver.does("fail=nvmlDeviceGetTemperature:3")

    with pytest.raises(CallError, match="nvmlDeviceGetTemperature: not_supported"):
        call.first_of(("nvmlDeviceGetTemperature", "nvmlDeviceGetCount"), handle, 0)


def test_a_name_that_the_binding_lacks_is_not_found(calls: tuple[Calls, Notes]) -> None:
    with pytest.raises(CallError, match="function_not_found"):
        calls[0]("nvmlNeverInTheBinding")
