"""Knows how a load test that was kept is told again: as it was reported, or as its page; refuses to run one.

Source: spec/loadtest.md 1 (`load report RUN`), 18.
"""

import csv
import sys
from pathlib import Path

from inferometer import listing, load_html, load_kept, load_show
from inferometer.data_directory import DataDirectory
from inferometer.errors import ConfigurationError
from inferometer.load_files import REPORT
from inferometer.load_objectives import limits
from inferometer.load_run import NAME

HTML = "html"


def show(data: DataDirectory, name: str, output: str) -> int:
    """Print a run or a sweep again, or write its page and print where.

    Args:
        data: Below which run ids are looked for.
        name: Run id, name of a sweep, or directory of one.
        output: Format on stdout; `html` writes the page.

    Returns:
        Exit code 0: it was told, whatever its verdict was.

    Raises:
        ConfigurationError: There is none, or not of this version.
        InferometerError: The disk takes no more.
    """
    sweep = _sweep(data, name)
    if sweep is not None:
        return _show_sweep(sweep, output)
    (run,) = load_kept.found(data, [name])
    if output == HTML:
        sys.stdout.write(f"{load_html.write_run(run.directory, run.report, run.rows(), limits(run.spec.plan))}\n")
    else:
        load_show.show(dict(run.report), NAME, output)
        sys.stderr.write(f"files: {run.directory}\n")
    return 0


def _show_sweep(directory: Path, output: str) -> int:
    if output == HTML:
        sys.stdout.write(f"{load_html.write_sweep(directory)}\n")
        return 0
    try:
        with (directory / load_html.STEPS).open(newline="") as file:
            reader = csv.DictReader(file)
            rows, names = [*reader], tuple(reader.fieldnames or ())
    except OSError as error:
        raise ConfigurationError(f"{directory / load_html.STEPS}: {error.strerror}") from None
    if output in {"junit", "github"}:
        raise ConfigurationError(
            f"--output {output}: a sweep has no verdict; allowed: table, json, csv, markdown, html"
        )
    listing.show(rows, names, f"sweep {directory.name}", output)
    sys.stderr.write(f"files: {directory}\n")
    return 0


def _sweep(data: DataDirectory, name: str) -> Path | None:
    """Return the directory of a sweep of this name; None if there is none, or it is one of a run."""
    candidates = (Path(name), data.root / "runs" / name)
    return next((path for path in candidates if load_html.is_sweep(path) and not (path / REPORT).exists()), None)
