"""Knows the process that reads every GPU once an interval and writes a line for each; refuses to know who reads them.

It may hang in a driver call at any time; whoever started it watches the board. A lost GPU ends it after the round, a
lost driver at once: a fresh process is the one way back that also finds a new driver's library. It holds nothing that
is worth saving, and ends when its reader is gone.

Lines on stdout: a sample; `{"lost": index or null, "reason": why, "call": where}` before it ends; an empty line after
each round, so that silence means something.

Source: spec/measurement.md 16; spec/reliability.md 5.4.
"""

import argparse
import contextlib
import json
import os
import signal
import sys

from probes.nvml import Nvml
from probes.nvml_board import Board
from probes.nvml_calls import DriverLostError, NvmlError
from probes.nvml_sample import encoded
from probes.nvml_watch import SamplerConfig
from telemetry.clock import monotonic_ns, sleep, wall_ms

_STDOUT = 1


class Rounds:
    """The loop: one round over all GPUs every interval.

    Args:
        config: What the process was told.
        nvml: The open library.
    """

    def __init__(self, config: SamplerConfig, nvml: Nvml) -> None:
        self._config, self._nvml = config, nvml
        now_s = _now_s()
        self._resting_until_s = {index: now_s + rest_s for index, rest_s in config.resting_s.items()}

    def run(self) -> None:
        """Go on until a GPU is lost.

        Raises:
            DriverLostError: None answers any more.
        """
        due_s = _now_s()
        while self._round():
            due_s = max(due_s + self._config.interval_s, _now_s() - self._config.interval_s)  # rounds missed are gone
            sleep(max(0.0, due_s - _now_s()))

    def _round(self) -> bool:
        """Read every GPU that is not left alone; returns whether all of them answered."""
        answered = True
        for index in range(self._nvml.count):
            if self._resting_until_s.get(index, 0.0) > _now_s():
                continue
            try:
                samples = self._nvml.read(index, self._config.place, wall_ms)
            except DriverLostError:
                raise
            except NvmlError as error:
                _lost(index, error)
                answered = False
                continue
            _write(b"".join(encoded(sample) + b"\n" for sample in samples))
        _write(b"\n")
        return answered


def run(config: SamplerConfig) -> None:
    """Sample until the library fails, a GPU is lost, or the reader is gone."""
    board = Board(config.board_fd)
    try:
        nvml = Nvml(board, config.call_s)
    except NvmlError as error:
        _lost(None, error)
        return
    try:
        Rounds(config, nvml).run()
    except DriverLostError as error:
        _lost(None, error)
    finally:
        nvml.close()


def _lost(gpu_index: int | None, error: NvmlError) -> None:
    _write(json.dumps({"lost": gpu_index, "reason": error.reason, "call": error.call}).encode() + b"\n")


def _write(text: bytes) -> None:
    while text:
        text = text[os.write(_STDOUT, text) :]


def _now_s() -> float:
    return monotonic_ns() / 1e9


def _end(_signal: int, _frame: object) -> None:
    """End after the call under way: a signal handler runs only when the call has returned."""
    raise SystemExit(0)


def main() -> int:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(prog="python -m probes.nvml_sampler")
    parser.add_argument("--config", required=True, help="SamplerConfig as JSON")
    config = SamplerConfig.of_text(parser.parse_args().config)
    signal.signal(signal.SIGTERM, _end)
    with contextlib.suppress(BrokenPipeError):  # the reader is gone
        run(config)
    return 0


if __name__ == "__main__":
    sys.exit(main())
