"""Knows what the answers of an engine say about who may do what, and how that becomes rows; refuses to ask anything.

    GET      200 open   401, 403 guarded   404 absent   anything else: no finding
    OPTIONS  405, or 2xx that allows more than OPTIONS: present   401, 403 guarded   404 absent   anything else: unknown

An OPTIONS answer that a path nowhere gets too says nothing. Whether what is present is also open is in the engine's
key check (`exposure_rules`) and in whether the engine asked for a key anywhere.

Source: spec/reliability.md 15.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from probes.exposure_rules import BYPASS, KEY_CHECKS, LLAMA_WITNESS, WITNESS, KeyCheck, Path, Severity
from telemetry.samples import ProbeResult

PROBE = "exposure"
CLEAN = "clean"
UNREACHABLE = "unreachable"
"""Outcomes of the summary row, beside the severities."""
_OK = 200
_LAST_2XX = 299
_ABSENT = (404, 410)
_REFUSED = (401, 403)
_NO_SUCH_METHOD = 405
_BY_GET = "; a plain GET may do it, so may a link"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What an engine said to one question.

    Attributes:
        method: GET or OPTIONS.
        path: Path asked for.
        status: Status of the answer; None if there was none.
        allow: Methods of its Allow header, upper case.
    """

    method: str
    path: str
    status: int | None
    allow: tuple[str, ...] = ()


class Presence(StrEnum):
    """What a reply says about a path."""

    PRESENT = "present"
    ABSENT = "absent"
    GUARDED = "guarded"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that anyone who reaches the port may do.

    Attributes:
        severity: How bad that is.
        method: How it was asked for.
        path: Its path.
        allows: What it allows.
        evidence: What was seen.
        fix: What to do.
    """

    severity: Severity
    method: str
    path: str
    allows: str
    evidence: str
    fix: str


def presence(reply: Reply, control: Reply | None) -> Presence:
    """Return what a reply says, given the reply to the same method on a path that is nowhere."""
    if reply.status in _REFUSED:
        return Presence.GUARDED
    if reply.status is None or reply.status in _ABSENT:
        return Presence.UNKNOWN if reply.status is None else Presence.ABSENT
    if control is not None and (reply.status, reply.allow) == (control.status, control.allow):
        return Presence.UNKNOWN
    if reply.method == "GET":
        return Presence.PRESENT if reply.status == _OK else Presence.UNKNOWN
    allows_more = bool(set(reply.allow) - {"OPTIONS"})
    if reply.status == _NO_SUCH_METHOD or (_OK <= reply.status <= _LAST_2XX and allows_more):
        return Presence.PRESENT
    return Presence.UNKNOWN


def findings(engine: str, asked: Sequence[tuple[Path, Reply]], control: Reply | None) -> list[Finding]:
    """Return what is open, the worst first, else in the order asked.

    Args:
        engine: Its name as detected.
        asked: Each path with the reply to it.
        control: The reply to OPTIONS of a path that is nowhere; None if there was none.
    """
    check = KEY_CHECKS.get(engine)
    key = _asks_for_key(engine, {reply.path: reply for _, reply in asked if reply.method == "GET"})
    found = [
        _finding(path, reply, check, key=key)
        for path, reply in asked
        if presence(reply, control if reply.method == "OPTIONS" else None) is Presence.PRESENT
        and not _is_guarded(path, reply, check, key=key)
    ]
    return sorted(found, key=lambda one: list(Severity).index(one.severity))


def rows(target: str, ts: int, found: Sequence[Finding], summary: "Summary") -> list[ProbeResult]:
    """Return a row for each finding, and last the summary with the number of high ones as its value."""
    high = sum(one.severity is Severity.HIGH for one in found)
    return [
        *(_row(target, ts, one) for one in found),
        ProbeResult(
            ts=ts,
            target=target,
            probe=PROBE,
            outcome=summary.outcome(high),
            ok=int(not high and not summary.fault),
            duration_us=summary.duration_us,
            value=None if summary.fault else float(high),
            detail=summary.detail(),
        ),
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """How an audit went as a whole.

    Attributes:
        engine: The engine whose rules were applied; empty if it was not recognised.
        asked_n: Questions that were answered.
        unknown_n: Answers that tell nothing.
        duration_us: From the first question to the last answer; None if there was none.
        fault: Why it could not be done; empty if it was.
    """

    engine: str
    asked_n: int = 0
    unknown_n: int = 0
    duration_us: int | None = None
    fault: str = ""

    def outcome(self, high: int) -> str:
        """Return the outcome of the summary row, given the number of high findings."""
        return UNREACHABLE if self.fault else Severity.HIGH if high else CLEAN

    def detail(self) -> dict[str, str]:
        """Return what else the summary row says."""
        check = KEY_CHECKS.get(self.engine)
        told = {"engine": self.engine or "unknown", "rules": check.version if check else "those of every engine"}
        told |= {"asked": str(self.asked_n), "unknown": str(self.unknown_n)}
        return told | ({"fault": self.fault} if self.fault else {})


def _row(target: str, ts: int, found: Finding) -> ProbeResult:
    detail = {"method": found.method, "path": found.path, "allows": found.allows, "evidence": found.evidence}
    return ProbeResult(
        ts=ts,
        target=target,
        probe=PROBE,
        outcome=found.severity.value,
        ok=int(found.severity is Severity.LOW),
        detail=detail | {"fix": found.fix},
    )


def _asks_for_key(engine: str, read: Mapping[str, Reply]) -> bool:
    witness = read.get(LLAMA_WITNESS if engine == "llama.cpp" else WITNESS)
    if engine in KEY_CHECKS and witness is not None and witness.status == _OK:
        return False
    return any(reply.status in _REFUSED for reply in read.values())


def _is_guarded(path: Path, reply: Reply, check: KeyCheck | None, *, key: bool) -> bool:
    # An answer to GET was given without a key, whatever the key check says about that path.
    return reply.method == "OPTIONS" and key and check is not None and check.guards(path.path)


def _finding(path: Path, reply: Reply, check: KeyCheck | None, *, key: bool) -> Finding:
    severity = path.severity
    if severity is Severity.HIGH and ((key and check is None) or (path.path == BYPASS and not key)):
        severity = Severity.MEDIUM
    return Finding(
        severity=severity,
        method=reply.method,
        path=path.path,
        allows=path.allows,
        evidence=_evidence(reply, check, key=key) + (_BY_GET if path.by_get or _acts_on_get(reply) else ""),
        fix=_fix(path, check, key=key),
    )


def _acts_on_get(reply: Reply) -> bool:
    return reply.method == "OPTIONS" and "GET" in reply.allow


def _evidence(reply: Reply, check: KeyCheck | None, *, key: bool) -> str:
    seen = f"{reply.method} answered {reply.status}"
    seen += f" (Allow: {', '.join(reply.allow)})" if reply.allow else ""
    if reply.method == "GET":
        return f"{seen} without a key"
    if not key:
        return f"{seen}, and no key is asked for"
    if check is None:
        return f"{seen}; whether the key covers it is not known for this engine"
    return f"{seen}; the key of {check.version} does not cover this path"


def _fix(path: Path, check: KeyCheck | None, *, key: bool) -> str:
    covered = check is not None and bool(check.flag) and not key and check.guards(path.path)
    own = f"set {check.flag}, " if covered and check is not None else ""
    return f"{own}bind the engine to 127.0.0.1, or refuse {path.path} at the gateway"
