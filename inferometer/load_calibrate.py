"""Knows how the ceiling of a load worker is found on this machine: a null server, and ever more chunks until unfit.

Each step doubles the chunks a second of one worker. The ceiling is what it read in the last step at which it was fit;
the null server's own stamps say how true its stamps were in that step.

Source: spec/loadtest.md 17 (calibrate), 5 (fit gate, cached 7 days), 6 (phases: calibrate first).
"""

import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from inferometer import data_directory, listing
from inferometer.config_schema import Config
from inferometer.errors import UnreachableError
from inferometer.load_calibration import here, keep
from inferometer.load_files import new_run_id
from inferometer.load_process import must_be_installed
from inferometer.load_run import carry_out
from loadtest.conductor import EXIT_INCONCLUSIVE, EXIT_INTERRUPTED, EXIT_OK, Ending, Halt
from loadtest.fitness import Check, Fit, State
from loadtest.plan_spec import Fixed, PlanSpec, RateCurve, Separate, WorkloadClass
from loadtest.planner import build
from loadtest.run_spec import RunSpec
from loadtest.sketch import quantile_us

FIRST_CHUNKS_PER_S = 1000.0
STEPS_MAX = 8
"""Most steps: the last one asks for 128 times the first."""
TOKENS, ITL_S = 100, 0.02
"""Of each answer: a stream of 50 chunks a second for two seconds."""
COLUMNS = (
    "asked_chunks_per_s", "chunks_per_s", "requests_per_s", "cpu_ratio", "read_lag_p99_ms", "truth_p99_ms", "fit",
)  # fmt: skip
_CEILING = "ceiling"


def run(config: Config, output: str, seconds: float) -> int:
    """Find the ceiling, keep it in the data directory and print the steps.

    Args:
        config: The configuration.
        output: Format on stdout.
        seconds: Length of each step.

    Returns:
        Exit code: 0 a ceiling was found; 4 not even the first step was fit; 130 interrupted.

    Raises:
        InferometerError: It cannot be run.
    """
    must_be_installed()
    with tempfile.TemporaryDirectory(prefix="inferometer-calibrate-") as directory, _null_server() as url:
        steps = climbed(lambda step: _carried(url, Path(directory), step, seconds))
    listing.show([_told(step, ending, seconds) for step, ending in steps], COLUMNS, "one worker", output)
    if steps and steps[-1][1].halt is Halt.INTERRUPTED:
        return EXIT_INTERRUPTED
    if steps and not is_fit(steps[-1][1]):
        sys.stderr.write(f"{asked(steps[-1][0]):.0f} chunks a second are too many: {steps[-1][1].message}\n")
    held = [(step, ending) for step, ending in steps if is_fit(ending)]
    if not held:
        sys.stderr.write("no ceiling: not even the first step was fit; is this machine busy?\n")
        return EXIT_INCONCLUSIVE
    step, ending = held[-1]
    truth_us = quantile_us(ending.whole.truth_us, 0.5), quantile_us(ending.whole.truth_us, 0.99)
    reads_per_s = ending.whole.reads_per_s or asked(step)
    keep(data_directory.resolve(config.data).root, here(reads_per_s, ending.whole.sent / seconds, truth_us))
    sys.stderr.write(f"one worker of this machine takes {reads_per_s:.0f} chunks a second\n")
    return EXIT_OK


def asked(step: int) -> float:
    """Return the chunks a second of a step, from 0."""
    return FIRST_CHUNKS_PER_S * (1 << step)


def climbed(carried: Callable[[int], Ending]) -> list[tuple[int, Ending]]:
    """Carry out step after step, up to the first that is not fit, and return them all."""
    steps: list[tuple[int, Ending]] = []
    for step in range(STEPS_MAX):
        ending = carried(step)
        steps.append((step, ending))
        if not is_fit(ending):
            break
    return steps


def is_fit(ending: Ending) -> bool:
    """Return whether a step was kept up with; that no ceiling is known yet does not count."""
    if ending.fitness is None or ending.halt:
        return False
    return ending.fitness.fit is Fit.FIT or all(map(_is_held, ending.fitness.checks))


def _is_held(check: Check) -> bool:
    return check.state is State.HELD or (check.name, check.state) == (_CEILING, State.UNKNOWN)


def _carried(url: str, directory: Path, step: int, seconds: float) -> Ending:
    sys.stderr.write(f"{asked(step):.0f} chunks a second ...\n")
    lengths = Separate(tokens_in=Fixed(tokens=16), tokens_out=Fixed(tokens=TOKENS))
    plan = PlanSpec(
        seed=7,
        rate=RateCurve(points=((0.0, asked(step) / TOKENS),)),
        duration_s=seconds,
        classes=(WorkloadClass(lengths=lengths),),
    )
    made = RunSpec(
        run_id=f"calibrate-{new_run_id()}",
        targets=(url,),
        plan=plan,
        directory=str(directory / str(step)),
        model="null",
        start_delay_s=1.0,
        drain_s=10.0,
        truth=True,
    )
    return carry_out(made, build(plan), 1, _nothing).ending


def _told(step: int, ending: Ending, seconds: float) -> Mapping[str, object]:
    whole = ending.whole
    values: Sequence[object] = (
        asked(step),
        _rounded(whole.reads_per_s, 0),
        _rounded(whole.sent / seconds, 1),
        _rounded(whole.cpu_ratio, 3),
        _ms(quantile_us(whole.read_us, 0.99)),
        _ms(quantile_us(whole.truth_us, 0.99)),
        "fit" if is_fit(ending) else "unfit",
    )
    return dict(zip(COLUMNS, values, strict=True))


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)


def _ms(us: float | None) -> float | None:
    return _rounded(None if us is None else us / 1000, 3)


@contextmanager
def _null_server() -> Generator[str]:
    command = [sys.executable, "-m", "loadtest.nullserver", f"itl_s={ITL_S}", f"ttft_s={ITL_S}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 -- our own interpreter
        try:
            url = process.stdout.readline().strip() if process.stdout is not None else ""
            if not url:
                raise UnreachableError("the null server did not start")
            yield url
        finally:
            process.terminate()


def _nothing(line: str) -> None:
    del line
