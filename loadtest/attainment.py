"""Knows whether a request met its objectives, from all that is known of it; refuses to know how many must.

    ending                    TTFT            E2E              TPOT                      gap              complete
    ok                        within S        within E         unknown, or within T      likewise G       good
    failed before output      bad             bad              -                         -                bad
    failed after output       within S        bad              within T from 16 tokens   within G         bad
    user left before output   bad beyond S    bad beyond E     -                         -                -
    user left after output    within S        bad beyond E     within T from 16 tokens   bad beyond G     -

`-` says nothing. A request is bad if any part is, good if all are, and else says nothing: a user who left after 12 s,
with a limit of 2 s, is a known bad one, after 1 s an unknown one. In a load test whatever else did not end well is a
failure, also what the client itself is to blame for: nothing leaves the denominator but what was cut by plan.

Source: spec/measurement.md 10; spec/loadtest.md 6 (goodput over all offered), 9 (abandonment).
"""

from enum import StrEnum

from loadtest.plan_spec import Objectives
from telemetry.outcome import Flag, Outcome
from telemetry.record import RequestRecord

TOKENS_LEAST = 16
"""From how many tokens on the time per token of an answer that was cut short says something."""

_US = 1e6


class Part(StrEnum):
    """What an objective is about."""

    TTFT = "ttft"
    E2E = "e2e"
    TPOT = "tpot"
    GAP = "gap"
    COMPLETE = "complete"


def parts(record: RequestRecord, limits: Objectives) -> dict[Part, bool | None]:
    """Return how each objective was kept that has a limit, and whether the answer is complete; None says nothing."""
    if record.flags & Flag.ABORTED_BY_PLAN:
        return dict.fromkeys(_asked(limits))
    found = {
        Part.TTFT: _ttft(record, limits.ttft_s),
        Part.E2E: _e2e(record, limits.e2e_s),
        Part.TPOT: _tpot(record, limits.tpot_s),
        Part.GAP: _gap(record, limits.gap_s),
        Part.COMPLETE: None if _left(record) else _is_ok(record),
    }
    return {part: found[part] for part in _asked(limits)}


def meets(record: RequestRecord, limits: Objectives) -> bool | None:
    """Return whether a request met every objective; None if that is not known, or it does not count."""
    kept = parts(record, limits).values()
    if False in kept:
        return False
    return None if None in kept else True


def _asked(limits: Objectives) -> list[Part]:
    values = {Part.TTFT: limits.ttft_s, Part.E2E: limits.e2e_s, Part.TPOT: limits.tpot_s, Part.GAP: limits.gap_s}
    return [*(part for part, limit in values.items() if limit is not None), Part.COMPLETE]


def _is_ok(record: RequestRecord) -> bool:
    return record.outcome is Outcome.OK


def _left(record: RequestRecord) -> bool:
    return record.outcome is Outcome.CLIENT_CANCELLED


def _ttft(record: RequestRecord, limit_s: float | None) -> bool | None:
    if record.ttft_us is not None:
        return _within(record.ttft_us, limit_s)
    if _is_ok(record):
        return None  # not streamed
    return _beyond(record.elapsed_us, limit_s) if _left(record) else False


def _e2e(record: RequestRecord, limit_s: float | None) -> bool | None:
    if _is_ok(record):
        return _within(record.elapsed_us if record.e2e_us is None else record.e2e_us, limit_s)
    return _beyond(record.elapsed_us, limit_s) if _left(record) else False


def _tpot(record: RequestRecord, limit_s: float | None) -> bool | None:
    if _is_ok(record):
        return record.tpot_us is None or _within(record.tpot_us, limit_s)
    if record.tpot_us is None or (record.tokens_out or 0) < TOKENS_LEAST:
        return None
    return _within(record.tpot_us, limit_s)


def _gap(record: RequestRecord, limit_s: float | None) -> bool | None:
    known = [us for us in (record.icl_max_us, record.open_gap_us) if us is not None]
    if _is_ok(record):
        return not known or _within(max(known), limit_s)
    if record.ttft_us is None or not known:
        return None
    return _beyond(max(known), limit_s) if _left(record) else _within(max(known), limit_s)


def _within(us: int, limit_s: float | None) -> bool:
    return limit_s is None or us <= limit_s * _US


def _beyond(us: int, limit_s: float | None) -> bool | None:
    """Return False if a time that may have gone on is beyond the limit already; else nothing is known."""
    return None if _within(us, limit_s) else False
