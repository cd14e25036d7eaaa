"""Knows how to recognise the outcome of a request from its evidence; refuses to read bytes or clocks.

`PRECEDENCE` orders the kinds of evidence; what proves which class is data in `telemetry.outcome_rules`.

Source: spec/measurement.md 9 (precedence, C1 to C7).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import cast

from telemetry.events import WORD_CHARS_MAX
from telemetry.outcome import AbortBy, Eligibility, Origin, Outcome, Phase
from telemetry.outcome_rules import (
    CLIENT_FAULTS,
    ENGINES,
    FINISHES,
    NATURE,
    PROXIES,
    STATUS_CLASSES,
    STATUSES,
    TEXTS,
    TYPE_STARTS,
    TYPES,
    WORDS,
)

ERROR_TEXT_CHARS_MAX = 8192
"""Start of an error's text in which phrases are looked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What an error object or an error body says, reduced to words.

    Attributes:
        type: The error type in its sender's words; empty if none.
        code: The error code; empty if none.
        number: The code as a number; None if it is none.
        text: Start of everything it says, lower case; never stored.
        structured: It was an error object of an API, not a page of a gateway.
    """

    type: str = ""
    code: str = ""
    number: int | None = None
    text: str = ""
    structured: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """All that decides the outcome of one request.

    Attributes:
        api: Dialect; `http` also ends well with a status of 1xx (upgrade) and 3xx.
        status: HTTP status; 0 before a head.
        server: Value of the response header `server`, lower case.
        fault: Error frame under 200, or error body; None if there is none.
        finishes: Finish reasons that came.
        terminal: The answer ended as its dialect ends it.
        output: Output came; for a body that is not a stream: the body came.
        undecodable: A whole body that should be JSON is not.
        sent: The request was sent.
        closed_by: Who ended the exchange; None if it ended by itself (body complete).
        ended: The exchange is over.
    """

    api: str
    status: int = 0
    server: str = ""
    fault: Fault | None = None
    finishes: tuple[str, ...] = ()
    terminal: bool = False
    output: bool = False
    undecodable: bool = False
    sent: bool = False
    closed_by: AbortBy | None = None
    ended: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The outcome and its orthogonal columns."""

    outcome: Outcome
    phase: Phase
    origin: Origin
    eligible: Eligibility
    retryable: int
    in_stream: int
    finish_reason: str
    raw_type: str = ""
    raw_code: str = ""


def decide(evidence: Evidence) -> Verdict:
    """Return the verdict of the first rule of `PRECEDENCE` that applies."""
    return _verdict(evidence, *next(found for rule in PRECEDENCE if (found := rule(evidence)) is not None))


def read_fault(error: object) -> Fault:
    """Reduce a decoded error object, or the text of one that is no JSON, to words; knows the shapes of C3."""
    if isinstance(error, list):
        error = next(iter(cast("list[object]", error)), None)
    if not isinstance(error, dict):
        return Fault(text=_start(error))
    whole = cast("dict[str, object]", error)
    inner = whole.get("error")
    told = cast("dict[str, object]", inner) if isinstance(inner, dict) else whole
    kind = _word(told, "type", "status", "error_type", "__type")
    code = _word(told, "code")
    return Fault(type=kind, code=code, number=_number(code), text=_start(whole), structured=True)


def fault_class(fault: Fault, status: int = 0) -> Outcome:
    """Return the class of a fault: what it proves by its words, else by its number, else by the HTTP status.

    A number outranks a type, because engines label most errors alike (C2); at 500 and above no class of client faults
    is left. Unknown words are the server's fault.
    """
    number = fault.number if fault.number is not None else status
    known = _by_words(fault) or _by_number(fault.number) or _by_type(fault) or _by_number(status)
    if known in CLIENT_FAULTS and number >= 500:  # noqa: PLR2004 -- HTTP's own border
        return _by_number(number) or Outcome.SERVER_ERROR
    return known or Outcome.SERVER_ERROR


def is_success(api: str, status: int) -> bool:
    """Return whether a status says that the answer follows; of unknown traffic also an upgrade or a redirect."""
    first = status // 100
    return first == 2 or (api == "http" and first in {1, 3})  # noqa: PLR2004 -- HTTP's own classes


_Found = tuple[Outcome, str] | None
"""An outcome and our own detail for `raw_code` (empty if there is none)."""


def _lost(e: Evidence) -> _Found:
    return (Outcome.UNOBSERVED, "") if e.closed_by is AbortBy.LOSS and not e.terminal else None


def _open(e: Evidence) -> _Found:
    return None if e.ended else (Outcome.UNOBSERVED, "")


def _error_frame(e: Evidence) -> _Found:
    if e.fault is None or not _is_success(e):
        return None
    known = fault_class(e.fault)
    return (Outcome.STREAM_ERROR if known is Outcome.SERVER_ERROR else known), ""


def _bad_status(e: Evidence) -> _Found:
    if not e.status or _is_success(e):
        return None
    return fault_class(e.fault or Fault(), e.status), ""


def _deadline(e: Evidence) -> _Found:
    detail = _DEADLINES.get(e.closed_by) if e.closed_by else None
    if detail is None or e.terminal:
        return None
    return (Outcome.TIMEOUT_STREAM, detail) if e.output else (Outcome.TIMEOUT_FIRST_TOKEN, "")


def _abnormal_finish(e: Evidence) -> _Found:
    word = _worst(e.finishes)
    known = FINISHES.get(word)
    if known is None:
        return None
    if known is Outcome.STREAM_TRUNCATED and e.closed_by is AbortBy.CLIENT:
        return Outcome.CLIENT_CANCELLED, ""  # the engine only says that the client left
    return known, ""


def _normal_finish(e: Evidence) -> _Found:
    if not e.terminal:
        return None
    if e.undecodable:
        return Outcome.BAD_OUTPUT, "undecodable"
    return (Outcome.OK, "") if e.output else (Outcome.BAD_OUTPUT, "empty")


def _closed_first(e: Evidence) -> _Found:
    if e.closed_by is AbortBy.CLIENT:
        return Outcome.CLIENT_CANCELLED, ""
    return (Outcome.STREAM_TRUNCATED if e.status else Outcome.CONNECT_ERROR), ""


PRECEDENCE: tuple[Callable[[Evidence], _Found], ...] = (
    _lost,
    _error_frame,
    _bad_status,
    _deadline,
    _abnormal_finish,
    _normal_finish,
    _open,
    _closed_first,
)
"""The kinds of evidence, the strongest first; each gives an outcome or passes. `client_limit` is decided before a
request exists, by the load generator."""

_DEADLINES: Mapping[AbortBy, str] = {
    AbortBy.FIRST_TOKEN_DEADLINE: "first_token",
    AbortBy.STALL_DEADLINE: "stall",
    AbortBy.TOTAL_DEADLINE: "total",
}


def _verdict(e: Evidence, outcome: Outcome, detail: str) -> Verdict:
    nature = NATURE[outcome]
    fault = e.fault or Fault()
    verdict = Verdict(
        outcome=outcome,
        phase=_phase(e, outcome),
        origin=nature.origin,
        eligible=nature.eligible,
        retryable=int(nature.retryable),
        in_stream=int(_is_success(e) and (e.fault is not None or nature.eligible is Eligibility.BAD)),
        finish_reason=_worst(e.finishes),
        raw_type=fault.type,
        raw_code=detail or fault.code,
    )
    if nature.origin is Origin.SERVER and not _is_success(e) and e.status and _from_gateway(e):
        return replace(verdict, origin=Origin.GATEWAY)
    if outcome is Outcome.STREAM_TRUNCATED and e.closed_by is AbortBy.UPSTREAM:
        return replace(verdict, origin=Origin.NETWORK)
    return verdict


def _phase(e: Evidence, outcome: Outcome) -> Phase:
    if outcome is Outcome.OK or (e.terminal and e.fault is None and _is_success(e)):
        return Phase.DONE
    if e.output and _is_success(e):
        return Phase.STREAMING
    return Phase.QUEUED if e.sent or e.status else Phase.CONNECT


def _is_success(e: Evidence) -> bool:
    return is_success(e.api, e.status)


def _from_gateway(e: Evidence) -> bool:
    fault = e.fault or Fault()
    if fault.structured or any(name in e.server for name in ENGINES):
        return False
    return bool(fault.text) or any(name in e.server for name in PROXIES)


def _worst(finishes: tuple[str, ...]) -> str:
    abnormal = [word for word in finishes if word in FINISHES]
    return (abnormal or list(finishes) or [""])[0]


def _by_words(fault: Fault) -> Outcome | None:
    for words, known in TEXTS:
        if words in fault.text:
            return known
    return WORDS.get(fault.code.lower()) or WORDS.get(fault.type.lower())


def _by_number(number: int | None) -> Outcome | None:
    return None if number is None else STATUSES.get(number) or STATUS_CLASSES.get(number // 100)


def _by_type(fault: Fault) -> Outcome | None:
    kind = fault.type.lower()
    starts = (known for start, known in TYPE_STARTS if kind.startswith(start))
    return TYPES.get(kind) or next(starts, None)


def _word(told: dict[str, object], *names: str) -> str:
    values = (told[name] for name in names if isinstance(told.get(name), str | int))
    return str(next(values, ""))[:WORD_CHARS_MAX]


def _number(code: str) -> int | None:
    return int(code) if code.isascii() and code.isdigit() else None


def _start(error: object) -> str:
    try:
        return "" if error is None else str(error)[:ERROR_TEXT_CHARS_MAX].lower()
    except RecursionError:  # nested too deeply to be meant
        return ""
