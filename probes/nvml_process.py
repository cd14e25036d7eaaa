"""Knows how to keep a GPU sampler running beside us and to hand on its samples; refuses to know the driver.

A sampler whose call does not return within its deadline is given up: told to end, left to end when the driver lets it,
and replaced by one that leaves that GPU alone for a while. It is never killed inside a driver call, because that has
frozen GPUs (NVIDIA/dcgm-exporter issue 84), so a few of them may wait in the driver at a time and no more. Meanwhile
each known GPU that owes a sample gets one without values, with the reason.

`python -m probes.nvml_process --seconds 60` prints the samples, one JSON object a line; what went wrong is on stderr.

Source: spec/measurement.md 16; spec/reliability.md 5.4.
"""

import argparse
import contextlib
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from random import SystemRandom
from types import TracebackType
from typing import Self

from probes.nvml_board import CALL_S_MAX, NO_GPU, OPEN_S_MAX, Board
from probes.nvml_sample import Gap, GpuSample, Place, decoded, encoded
from probes.nvml_watch import SamplerConfig, Watch
from telemetry.clock import monotonic_ns, wall_ms

HUNG_MAX = 2
"""Samplers that may wait in the driver at a time; with so many, none is started."""
LINE_BYTES_MAX = 64 * 1024
"""Longest line of a sampler."""
UNREACHABLE = 5
"""Exit status: no GPU could be read."""
_LOOK_S = 0.25
"""Longest wait between two looks at the board."""
_SILENT_S = OPEN_S_MAX + 10.0
"""A sampler that writes nothing for so long is stuck outside any call."""
_STOP_S = 3.0

Tell = Callable[[dict[str, object]], None]
"""Takes what went wrong, as fields."""


@dataclass(slots=True, kw_only=True)
class _Child:
    process: subprocess.Popen[bytes]
    pipe_fd: int
    board: Board
    heard_s: float
    rest: bytes = b""
    told_why: bool = False


class Sampler:
    """A sampler process, kept running.

    Args:
        place: Where its GPUs are.
        interval_s: Time between two samples of one GPU.
        tell: Takes what went wrong.
        call_s: Deadline of a call into the driver.
        stderr: Where its complaints go; None our own, which then stays open as long as a sampler hangs.
    """

    def __init__(
        self, place: Place, interval_s: float, tell: Tell, *, call_s: float = CALL_S_MAX, stderr: int | None = None
    ) -> None:
        self._place, self._interval_s, self._tell, self._call_s = place, interval_s, tell, call_s
        self._stderr = stderr
        self._watch = Watch(place, interval_s, SystemRandom())
        self._child: _Child | None = None
        self._hung: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        """Nothing runs before the first step."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Stop."""
        self.stop()

    @property
    def pid(self) -> int | None:
        """Process id of the running sampler; None if none runs."""
        return self._child.process.pid if self._child else None

    def step(self, wait_s: float) -> list[GpuSample]:
        """Wait for samples, at most `wait_s` seconds, and return those that came and those that are owed."""
        self._hung = [process for process in self._hung if process.poll() is None]
        if self._child is None and _now_s() >= self._watch.start_at_s and len(self._hung) < HUNG_MAX:
            self._child = self._started()
        samples = self._heard(min(wait_s, _LOOK_S))
        self._give_up_if_stuck()
        return samples + self._watch.gaps(_now_s(), wall_ms())

    def stop(self) -> None:
        """End the sampler; one that hangs in the driver is left to end when the driver lets it."""
        child, self._child = self._child, None
        if child:
            self._release(child)
        for process in self._hung:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_STOP_S)
            if process.poll() is None:
                self._tell({"event": "a sampler is left in the driver", "pid": process.pid})

    def _started(self) -> _Child:
        board = Board.create()
        config = SamplerConfig(
            place=self._place,
            interval_s=self._interval_s,
            call_s=self._call_s,
            board_fd=board.fd,
            resting_s=self._watch.resting_s(_now_s()),
        )
        ours, theirs = os.pipe()
        process = subprocess.Popen(  # noqa: S603 -- our own argv, no shell
            (sys.executable, "-m", "probes.nvml_sampler", "--config", config.text()),
            stdin=subprocess.DEVNULL,
            stdout=theirs,
            stderr=self._stderr,
            pass_fds=(board.fd,),
            start_new_session=True,
        )
        os.close(theirs)
        return _Child(process=process, pipe_fd=ours, board=board, heard_s=_now_s())

    def _heard(self, wait_s: float) -> list[GpuSample]:
        child = self._child
        readable, _, _ = select.select([child.pipe_fd] if child else [], [], [], wait_s)
        if not child or not readable:
            return []
        chunk = os.read(child.pipe_fd, LINE_BYTES_MAX)
        if not chunk:
            self._ended(child)
            return []
        child.heard_s = _now_s()
        lines, child.rest = split(child.rest + chunk)
        return [sample for line in lines if line and (sample := self._understood(child, line))]

    def _understood(self, child: _Child, line: bytes) -> GpuSample | None:
        try:
            if line.startswith(b'{"lost"'):
                told = json.loads(line)
                child.told_why = True
                self._failed(told["lost"], Gap(told["reason"]), told["call"])
                return None
            sample = decoded(line)
        except (ValueError, KeyError, TypeError):
            self._tell({"event": "a line of the gpu sampler is not understood", "bytes": len(line)})
            return None
        self._watch.sampled(sample, _now_s())
        return sample

    def _failed(self, gpu_index: int | None, reason: Gap, call: str) -> None:
        if gpu_index is None:
            self._watch.sampler_failed(reason, _now_s())
        else:
            self._watch.gpu_failed(gpu_index, reason, _now_s())
        self._tell({"event": "gpu sampler failed", "gpu_index": gpu_index, "reason": reason, "call": call})

    def _ended(self, child: _Child) -> None:
        self._child = None
        self._release(child)
        if not child.told_why:
            self._failed(None, Gap.SAMPLER_ENDED, f"exit {child.process.returncode}")

    def _give_up_if_stuck(self) -> None:
        child = self._child
        if child is None:
            return
        call = child.board.overdue(monotonic_ns())
        if call is None and _now_s() - child.heard_s <= _SILENT_S + self._interval_s:
            return
        self._child = None
        self._release(child, wait_s=0.0)
        index = None if call is None or call.gpu_index == NO_GPU else call.gpu_index
        self._failed(index, Gap.HUNG, call.name if call else "silent")

    def _release(self, child: _Child, wait_s: float = _STOP_S) -> None:
        """Ask a sampler to end and give its pipe and board back; one that does not end in time counts as hung."""
        child.process.terminate()
        os.close(child.pipe_fd)
        child.board.close()
        try:
            child.process.wait(wait_s)
        except subprocess.TimeoutExpired:
            self._hung.append(child.process)


def split(text: bytes) -> tuple[list[bytes], bytes]:
    """Return the lines of a text and what is left of the last one; a rest that is too long is dropped."""
    *lines, rest = text.split(b"\n")
    return lines, rest if len(rest) <= LINE_BYTES_MAX else b""


def _now_s() -> float:
    return monotonic_ns() / 1e9


def _tell_on_stderr(fields: dict[str, object]) -> None:
    with contextlib.suppress(OSError):  # whoever read stderr may be gone
        sys.stderr.write(json.dumps({"at_ms": wall_ms()} | fields) + "\n")


def _print(sample: GpuSample) -> None:
    sys.stdout.write(encoded(sample).decode() + "\n")
    sys.stdout.flush()


def stream(sampler: Sampler, seconds: float) -> int:
    """Print the samples of so many seconds, counted from the first; returns the exit status."""
    seen_n, until_s = 0, _now_s() + OPEN_S_MAX + seconds
    while _now_s() < until_s:
        samples = sampler.step(_LOOK_S)
        if samples and not seen_n:
            until_s = _now_s() + seconds
        for sample in samples:
            _print(sample)
        seen_n += len(samples)
    return 0 if seen_n else UNREACHABLE


def once(sampler: Sampler) -> int:
    """Print the second sample of each GPU and slice: values between two samples are known by then."""
    seen: dict[tuple[int, str], list[GpuSample]] = {}
    until_s = _now_s() + OPEN_S_MAX
    while _now_s() < until_s and not (seen and all(len(samples) > 1 for samples in seen.values())):
        for sample in sampler.step(_LOOK_S):
            seen.setdefault((sample.gpu_index, sample.mig_uuid), []).append(sample)
    for samples in seen.values():
        _print(samples[-1])
    return 0 if seen else UNREACHABLE


def _end(_signal: int, _frame: object) -> None:
    raise SystemExit(0)


def main() -> int:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(prog="python -m probes.nvml_process")
    parser.add_argument("--seconds", type=float, default=60.0, help="for how long, from the first sample on")
    parser.add_argument("--interval", type=float, default=1.0, help="seconds between two samples of a GPU")
    parser.add_argument("--once", action="store_true", help="one sample of each GPU")
    parser.add_argument("--node", default=os.uname().nodename)
    parser.add_argument("--endpoint", default="")
    parser.add_argument("--replica", default="")
    told = parser.parse_args()
    place = Place(node=told.node, endpoint=told.endpoint, replica=told.replica)
    signal.signal(signal.SIGTERM, _end)
    with Sampler(place, told.interval, _tell_on_stderr) as sampler:
        return once(sampler) if told.once else stream(sampler, told.seconds)


if __name__ == "__main__":
    sys.exit(main())
