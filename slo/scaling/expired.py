"""Knows what a hint becomes that nobody renewed: no data, as many as are asked for, no trust; refuses to read a clock.

It is a function of the hint and of when it expired, so every replica of the service says the same, also under the same
number and id. Both are its own: a hint may still be decided of the first instant at or after its end, and it has that
instant's number n, so this one has -1 - n, which no hint that was decided has.

Source: spec/scaling.md 3 (stale or expired: action no_data, desired = spec, confidence 0), 1 (seq, id).
"""

from datetime import UTC, datetime

import msgspec

from slo.scaling.codes import MEANINGS, Action, Level, Reason
from slo.scaling.hint import ConfidencePart, Hint, PreviewPart, ReasonPart, hint_id
from slo.scaling.preview import preview
from slo.scaling.state import TICK_S


def unix_s(time: str) -> int:
    """Return a time of a hint as unix seconds."""
    return int(datetime.fromisoformat(time).timestamp())


def expired(of: Hint) -> Hint:
    """Return what a hint stands for once it is over; one that was made without data stays as it is."""
    if of.action is Action.NO_DATA:
        return of
    issued_s, ended_s = unix_s(of.issued_at), unix_s(of.expires_at)
    at_s = -(-ended_s // TICK_S) * TICK_S
    seen = preview(of.replicas.spec, of.replicas.spec, of.hpa_preview.tolerance)
    return msgspec.structs.replace(
        of,
        id=hint_id(of.target.name, of.target.namespace, at_s, is_over=True),
        seq=-1 - (of.seq + (at_s - issued_s) // TICK_S),
        issued_at=_time(at_s),
        valid_from=_time(at_s),
        action=Action.NO_DATA,
        replicas=msgspec.structs.replace(of.replicas, desired=of.replicas.spec, raw=None, bounded_by=()),
        reasons=(_reason(),),
        vetoes=(),
        confidence=ConfidencePart(score=0.0, level=Level.LOW, why=("expired",)),
        impact=msgspec.structs.replace(
            of.impact,
            usd_per_h_desired=of.impact.usd_per_h_now,
            miss_risk_if_followed=of.impact.miss_risk_if_ignored,
        ),
        hpa_preview=PreviewPart(
            tolerance=seen.tolerance, would_set=seen.would_set, swallowed=seen.swallowed, text=seen.text
        ),
    )


def _reason() -> ReasonPart:
    code = Reason.NO_DATA_STALE
    return ReasonPart(
        code=code, binding=True, wants=None, signal=None, value=None, threshold=None, unit=None, text=MEANINGS[code]
    )


def _time(at_s: int) -> str:
    return f"{datetime.fromtimestamp(at_s, UTC):%Y-%m-%dT%H:%M:%SZ}"
