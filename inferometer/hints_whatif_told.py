"""Knows what the API and the process that replays for it tell each other; refuses to know what either does.

Source: spec/scaling.md 2 (whatif).
"""

from dataclasses import dataclass

from slo.hints_replayed import ReplayAsked, ReplayShown
from slo.hints_target import Hinted
from slo.problem import ProblemCode


@dataclass(frozen=True, slots=True, kw_only=True)
class WhatIf:
    """What the process is told.

    Attributes:
        parent: Process that asked; with it this one ends.
        store_url: Of the store.
        reader: Name that may read.
        reader_password_file: Its password; empty if there is none.
        target: Whose traffic.
        asked: What is replayed.
    """

    parent: int
    store_url: str
    reader: str
    reader_password_file: str
    target: Hinted
    asked: ReplayAsked


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """Why nothing was found.

    Attributes:
        code: The kind of problem.
        text: What is wrong.
        where: What of the request is; empty for none of it.
    """

    code: ProblemCode
    text: str
    where: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """The one line: what was found, or why nothing was."""

    found: ReplayShown | None = None
    refused: Refused | None = None
