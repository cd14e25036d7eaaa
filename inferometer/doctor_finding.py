"""Knows what one finding of the doctor is, how it is told and what exit code all of them ask for; refuses to look.

Source: spec/ui.md 1.2 (line, JSON, levels, exit codes).
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from inferometer.errors import InferometerError

STRICT = 3
"""Exit code for a warning, where warnings were said to count."""


class Level(StrEnum):
    """How bad a finding is."""

    OK = "ok"
    NOTE = "note"
    """Something is not there that could be."""
    WARN = "warn"
    """It works, but worse than it could, or not safely."""
    ERROR = "error"
    """It will not work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one check found.

    Attributes:
        id: Name of the check; several findings may share one.
        level: How bad it is.
        finding: What was seen.
        fix: What to do; empty if nothing.
        unlocks: Panels that the fix fills.
        evidence: Where it was seen, if that is not plain.
        exit_code: Exit code that it asks for; 0 unless it is an error.
    """

    id: str
    level: Level
    finding: str
    fix: str = ""
    unlocks: tuple[str, ...] = ()
    evidence: str = ""
    exit_code: int = 0

    def line(self) -> str:
        """Return the finding as one line."""
        return f"{self.level:<5}  {self.id:<18} {self.finding}" + (f" -> {self.fix}" if self.fix else "")

    def record(self) -> dict[str, object]:
        """Return what JSON says of it."""
        return {
            "id": self.id,
            "level": self.level.value,
            "finding": self.finding,
            "fix": self.fix,
            "unlocks": list(self.unlocks),
            "evidence": self.evidence,
        }


def ok(name: str, finding: str, evidence: str = "") -> Finding:
    """Return that a check found nothing wrong."""
    return Finding(id=name, level=Level.OK, finding=finding, evidence=evidence)


def note(name: str, finding: str, fix: str = "") -> Finding:
    """Return that something is not there that could be."""
    return Finding(id=name, level=Level.NOTE, finding=finding, fix=fix)


def warn(name: str, finding: str, fix: str = "", evidence: str = "") -> Finding:
    """Return that something works worse than it could, or not safely."""
    return Finding(id=name, level=Level.WARN, finding=finding, fix=fix, evidence=evidence)


def judged(name: str, finding: str, fix: str, *, good: bool) -> Finding:
    """Return ok, or a warning with what to do."""
    return ok(name, finding) if good else warn(name, finding, fix)


def error(name: str, fault: InferometerError, fix: str = "") -> Finding:
    """Return that a fault of ours, of the configuration or of something out there will keep it from working."""
    return Finding(id=name, level=Level.ERROR, finding=str(fault), fix=fix, exit_code=fault.exit_code)


def text(findings: Sequence[Finding], output: str) -> str:
    """Return all findings as one JSON array, or as one line each."""
    if output == "json":
        return json.dumps([one.record() for one in findings]) + "\n"
    return "".join(one.line() + "\n" for one in findings)


def exit_code(findings: Iterable[Finding], *, strict: bool) -> int:
    """Return 2 if the configuration is at fault, else 5 if something does not answer, else 1, else 3 for a warning."""
    found = list(findings)
    codes = {one.exit_code for one in found}
    worst = next((code for code in (2, 5, 1) if code in codes), 0)
    return worst or (STRICT if strict and any(one.level is Level.WARN for one in found) else 0)
