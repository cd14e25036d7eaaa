"""Knows how a verdict reaches a pipeline: stdout, and the summary page of a GitHub job; refuses to judge.

Source: spec/loadtest.md 18; GitHub Actions, workflow commands (`GITHUB_STEP_SUMMARY`, at most 1 MiB a step).
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from inferometer.errors import UnreachableError
from loadtest.cases import Case, github, junit

SUMMARY_BYTES_MAX = 1 << 20
"""Longest summary that GitHub takes; a longer one is left out, since it would fail the step."""
SUMMARY_VARIABLE = "GITHUB_STEP_SUMMARY"


def tell_pipeline(cases: Sequence[Case], name: str, summary: str, output: str) -> bool:
    """Print cases on stdout if the format is one of pipelines.

    Args:
        cases: The verdicts.
        name: What was run.
        summary: The same for people, Markdown; goes to GitHub's summary page if there is one.
        output: `junit`, `github` or any other.

    Returns:
        Whether it was.

    Raises:
        UnreachableError: The summary cannot be written.
    """
    if output == "junit":
        sys.stdout.write(junit(cases, name))
    elif output == "github":
        sys.stdout.write(github(cases, name))
        _summarize(summary.encode())
    else:
        return False
    return True


def _summarize(summary: bytes) -> None:
    path = os.environ.get(SUMMARY_VARIABLE)
    if not path or len(summary) > SUMMARY_BYTES_MAX:
        return
    try:
        with Path(path).open("ab") as file:
            file.write(summary)
    except OSError as error:
        raise UnreachableError(f"{SUMMARY_VARIABLE}: {path}: {error.strerror}") from None
