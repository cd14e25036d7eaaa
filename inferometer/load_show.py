"""Knows how the report of a load test is printed, in each format; refuses to say anything of its own.

Source: spec/loadtest.md 1 (`--output`), 18 (JUnit, GitHub); design.md (stdout is data).
"""

import csv
import json
import sys
from typing import Any

from inferometer import load_objectives, load_report
from inferometer.load_told import tell_pipeline
from inferometer.report_tables import markdown
from loadtest.digest import Figure
from telemetry.csv_cell import csv_cell


def show(report: dict[str, Any], suite: str, output: str) -> None:
    """Print a report.

    Args:
        report: The report.
        suite: Name of its test suite, for pipelines.
        output: Format on stdout.
    """
    summary = "\n".join(markdown(table) for table in load_report.tables(report))
    if tell_pipeline(load_objectives.cases(report), suite, summary, output):
        return
    if output == "json":
        sys.stdout.write(json.dumps(report) + "\n")
    elif output == "csv":
        writer = csv.writer(sys.stdout, lineterminator="\n")
        names = Figure.__struct_fields__
        writer.writerows([names, *([csv_cell(one[name]) for name in names] for one in report["metrics"])])
    elif output == "markdown":
        sys.stdout.write(summary)
    else:
        from inferometer.screen import console, drawn  # noqa: PLC0415 -- rich costs 0.1 s that JSON need not pay

        console().print(drawn(load_report.tables(report)))
