"""Knows how to call NVIDIA's management library and what its error codes mean; refuses to know what is asked.

The one home of the binding. Every call is announced on a board before it is entered, so that one that never returns can
be named from outside.

    NvmlError               a call failed
    ├── CallError           this call alone: its readings are missing
    ├── DeviceLostError     this GPU answers no more; the others may
    └── DriverLostError     the library has lost the driver: only a new process brings it back

Source: pynvml.py of nvidia-ml-py 13.615.71 (error codes; a function that the library lacks raises "function not
found"); spec/measurement.md 16.
"""

from collections.abc import Iterable
from typing import Any, Protocol

import pynvml

from probes.nvml_board import CALL_S_MAX, NO_GPU
from probes.nvml_sample import Gap

lib: Any = pynvml
"""The binding; it has no types of its own."""

_GAPS = {
    lib.NVML_ERROR_UNINITIALIZED: Gap.UNINITIALIZED,
    lib.NVML_ERROR_NOT_SUPPORTED: Gap.NOT_SUPPORTED,
    lib.NVML_ERROR_NO_PERMISSION: Gap.NO_PERMISSION,
    lib.NVML_ERROR_DRIVER_NOT_LOADED: Gap.DRIVER_NOT_LOADED,
    lib.NVML_ERROR_LIBRARY_NOT_FOUND: Gap.LIBRARY_NOT_FOUND,
    lib.NVML_ERROR_FUNCTION_NOT_FOUND: Gap.FUNCTION_NOT_FOUND,
    lib.NVML_ERROR_GPU_IS_LOST: Gap.GPU_LOST,
    lib.NVML_ERROR_RESET_REQUIRED: Gap.RESET_REQUIRED,
    lib.NVML_ERROR_LIB_RM_VERSION_MISMATCH: Gap.DRIVER_CHANGED,
    lib.NVML_ERROR_NO_DATA: Gap.NO_DATA,
    lib.NVML_ERROR_TIMEOUT: Gap.NO_DATA,
    lib.NVML_ERROR_NOT_FOUND: Gap.NO_DATA,
}
_DEVICE_LOST = frozenset({Gap.GPU_LOST, Gap.RESET_REQUIRED})
_DRIVER_LOST = frozenset({Gap.UNINITIALIZED, Gap.DRIVER_NOT_LOADED, Gap.LIBRARY_NOT_FOUND, Gap.DRIVER_CHANGED})


class NvmlError(Exception):
    """A call failed.

    Attributes:
        reason: Why.
        call: Function that failed.
    """

    def __init__(self, reason: Gap, call: str) -> None:
        """Keep both."""
        super().__init__(f"{call}: {reason}")
        self.reason, self.call = reason, call


class CallError(NvmlError):
    """This call alone failed."""


class DeviceLostError(NvmlError):
    """This GPU answers no more."""


class DriverLostError(NvmlError):
    """The library has lost the driver."""


class Announce(Protocol):
    """Where calls are announced."""

    def enter(self, name: str, gpu_index: int, limit_s: float) -> None:
        """Say that a call begins."""

    def leave(self) -> None:
        """Say that it returned."""


class Calls:
    """The calls of one process.

    Attributes:
        gpu_index: GPU that the next calls concern; `NO_GPU` for none.
    """

    def __init__(self, board: Announce, call_s: float = CALL_S_MAX) -> None:
        """Keep the board, and the deadline of a call in seconds."""
        self.gpu_index = NO_GPU
        self._board, self._call_s = board, call_s

    def __call__(self, name: str, *args: object, limit_s: float | None = None) -> Any:  # noqa: ANN401 -- the binding has no types
        """Call one function of the binding.

        Raises:
            NvmlError: It failed.
        """
        function = getattr(lib, name, None)
        if function is None:  # an older binding
            raise CallError(Gap.FUNCTION_NOT_FOUND, name)
        self._board.enter(name, self.gpu_index, self._call_s if limit_s is None else limit_s)
        try:
            return function(*args)
        except lib.NVMLError as error:
            raise translated(error.value, name) from error
        finally:
            self._board.leave()

    def first_of(self, names: Iterable[str], *args: object) -> Any:  # noqa: ANN401 -- as above
        """Call the first of these functions that library and binding have.

        Raises:
            NvmlError: It failed, or there is none.
        """
        *newer, last = names
        for name in newer:
            try:
                return self(name, *args)
            except CallError as error:
                if error.reason is not Gap.FUNCTION_NOT_FOUND:
                    raise
        return self(last, *args)


def translated(code: int, name: str) -> NvmlError:
    """Return the error that a code of the library means."""
    reason = _GAPS.get(code, Gap.OTHER)
    if reason in _DRIVER_LOST:
        return DriverLostError(reason, name)
    return DeviceLostError(reason, name) if reason in _DEVICE_LOST else CallError(reason, name)
