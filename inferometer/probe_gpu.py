"""Knows how GPU samples are printed; refuses to know how they are read.

Source: spec/measurement.md 16.
"""

import socket
import sys

from probes import nvml_process
from probes.nvml_process import Sampler
from probes.nvml_sample import Place


def run(seconds: float, interval_s: float, *, is_once: bool) -> int:
    """Print samples, one JSON object a line; returns the exit code, 5 if no GPU could be read."""
    with Sampler(Place(node=socket.gethostname()), interval_s, _tell) as sampler:
        return nvml_process.once(sampler) if is_once else nvml_process.stream(sampler, seconds)


def _tell(fields: dict[str, object]) -> None:
    said = ", ".join(f"{name} {value}" for name, value in fields.items() if name != "event" and value is not None)
    sys.stderr.write(f"inferometer: {fields['event']}" + (f": {said}" if said else "") + "\n")
