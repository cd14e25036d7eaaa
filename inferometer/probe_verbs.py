"""Knows how synthetic probes are run and told at a terminal; refuses to know what they ask.

Source: design.md (verbs, outputs, exit codes).
"""

import asyncio
import signal
import sys
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from random import SystemRandom

import msgspec

from inferometer import listing, probe_file
from inferometer.log import to_stderr
from inferometer.probe_file import ProbeFile
from probes.probe import Rounds, Row
from telemetry.fetch import Client
from telemetry.outcome import Outcome
from telemetry.samples import ProbeResult

COLUMNS = (
    "target", "probe", "outcome", "ok", "duration_us", "queue_wait_us", "run_us", "poll_interval_us", "value", "detail",
)  # fmt: skip
"""What is told of each result; of a completion the value is its time to first token in seconds."""
GATE_FAILED, UNREACHABLE = 3, 5
_FOR_PROGRAMS = frozenset({"json", "csv"})
_FOR_PEOPLE = ("stage", "check", "code", "reason", "level")
_TEMPLATE = "text_to_video.yaml"


def once(path: Path, output: str) -> int:
    """Run every probe of a file once and print what each found.

    Args:
        path: The file.
        output: Format on stdout.

    Returns:
        Exit code: 0 all is as it should be; 3 something is not; 5 nothing could be reached.

    Raises:
        ConfigurationError: The file is wrong.
    """
    results = asyncio.run(_asked_once(probe_file.read(path)))
    n_bad = sum(not result.ok for result in results)
    shown = COLUMNS if output in _FOR_PROGRAMS else [name for name in COLUMNS if _is_told(name, results)]
    rows = [_row(result, output) for result in results]
    listing.show(rows, shown, f"{len(results)} results, {n_bad} not as they should be", output)
    if all(result.outcome == Outcome.CONNECT_ERROR for result in results):
        return UNREACHABLE
    return GATE_FAILED if n_bad else 0


def run(path: Path) -> int:
    """Run the probes of a file again and again, each at its interval, and print each result as a line of JSON.

    Raises:
        ConfigurationError: The file is wrong.
    """
    asyncio.run(_asked_for_ever(probe_file.read(path)))
    return 0


def template() -> str:
    """Return the file of probes that is shipped."""
    return resources.files("probes").joinpath(_TEMPLATE).read_text(encoding="utf-8")


async def _asked_once(file: ProbeFile) -> Sequence[ProbeResult]:
    results: list[ProbeResult] = []

    def sink(rows: Sequence[Row]) -> None:
        results.extend(row for row in rows if isinstance(row, ProbeResult))

    async with Client() as client:
        await Rounds(file.probes(client), sink, to_stderr(), SystemRandom()).once()
    return sorted(results, key=lambda result: (result.target, result.probe))


async def _asked_for_ever(file: ProbeFile) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)

    def sink(rows: Sequence[Row]) -> None:
        try:
            for row in rows:
                if isinstance(row, ProbeResult):
                    sys.stdout.write(msgspec.json.encode({"ts": row.ts, **_row(row, "json")}).decode() + "\n")
            sys.stdout.flush()
        except BrokenPipeError:  # whoever reads has seen enough
            stop.set()

    async with Client() as client:
        await Rounds(file.probes(client), sink, to_stderr(), SystemRandom()).run(stop)


def _is_told(name: str, results: Sequence[ProbeResult]) -> bool:
    return any(getattr(result, name) is not None for result in results)


def _row(result: ProbeResult, output: str) -> Mapping[str, object]:
    """Return a result by column; its detail is one text but in JSON, and for people only what is wrong."""
    told = {name: getattr(result, name) for name in COLUMNS}
    if output != "json":
        detail = result.detail if output in _FOR_PROGRAMS else _chosen(result.detail)
        told["detail"] = " ".join(f"{name}={value}" for name, value in sorted(detail.items()))
    return told


def _chosen(detail: Mapping[str, str]) -> Mapping[str, str]:
    return {name: detail[name] for name in _FOR_PEOPLE if name in detail}
