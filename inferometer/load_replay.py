"""Knows how a recorded trace becomes a load test: which rows of it, and what is left out; refuses to send a request.

Source: spec/loadtest.md 1 (`load replay`), 10 (traces, scaling, what is dropped is counted).
"""

import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import msgspec

from inferometer import load_run
from inferometer.config_schema import Config
from inferometer.errors import ConfigurationError
from inferometer.load_options import Options, plan_spec
from loadtest.errors import TraceError
from loadtest.plan_spec import TraceFormat, TraceSpec
from loadtest.trace_replay import replayed
from loadtest.traces import digest, load


def trace_spec(path: Path, kind: TraceFormat, **rest: float | None) -> TraceSpec:
    """Return what of a trace is replayed.

    Args:
        path: Its file.
        kind: How it is read.
        rest: Further fields of `TraceSpec`.

    Raises:
        ConfigurationError: The file cannot be read, or a field cannot be.
    """
    try:
        return msgspec.convert({"format": kind, "sha256": digest(path), **rest}, TraceSpec)
    except (TraceError, msgspec.ValidationError) as error:
        raise ConfigurationError(f"not a trace: {error}") from None


def run(config: Config, options: Options, path: Path, output: str) -> int:
    """Replay a trace, print the report and return the exit code of `load run`.

    Raises:
        InferometerError: It cannot be read or replayed; else as `load run`.
    """
    asked = replace(options, trace_path=str(path.absolute()))
    if dropped := left_out(asked, path):
        words = ", ".join(f"{n} {reason}" for reason, n in sorted(dropped.items()))
        sys.stderr.write(f"rows left out: {words}\n")
    return load_run.run(config, asked, output, None)


def left_out(options: Options, path: Path) -> dict[str, int]:
    """Return how many rows of a trace are not replayed, by reason.

    Raises:
        ConfigurationError: It cannot be read, or nothing of it is left.
    """
    spec = plan_spec(options)
    try:
        trace = load(path, spec)
        return dict(Counter(trace.dropped) | Counter(replayed(spec, trace).dropped))
    except TraceError as error:
        raise ConfigurationError(str(error)) from None
