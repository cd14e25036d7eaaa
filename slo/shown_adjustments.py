"""Knows how times that count less, and the trail of who changed what, look from outside; refuses to know routes.

Source: spec/slo.md 4 (adjustments), 16 (audited); spec/reliability.md 10 (who, what, before, after, from where).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from slo.adjustments import Agreed
from slo.audit import Act, broken_at
from slo.recurrence import rule
from slo.shown import instant
from slo.shown_alerts import MatcherShown


@dataclass(frozen=True, slots=True, kw_only=True)
class AdjustmentShown:
    """A time that counts less.

    Attributes:
        id: Its name.
        selector: Which objectives and groups are meant; all must match.
        start: When it begins; of one that comes again, the earliest occurrence.
        end: When that occurrence ends.
        rrule: When it comes again; empty for once.
        percent_excluded: How much of its requests does not count; 0 if it was withdrawn.
        reason: Why.
        author: Who entered it.
        made_at: When.
        retroactive: Whether it had begun by then.
        state: `planned`, `active` (between the first and the last occurrence), `past` or `withdrawn`.
    """

    id: str
    selector: tuple[MatcherShown, ...]
    start: str
    end: str
    rrule: str
    percent_excluded: int
    reason: str
    author: str
    made_at: str
    retroactive: bool
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AdjustmentsShown:
    """Times that count less, those that begin last first; forgotten is what no budget looks at any more."""

    adjustments: tuple[AdjustmentShown, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ActShown:
    """One act.

    Attributes:
        at: When.
        actor: Who.
        action: What was done.
        object: To what.
        reason: Why; empty if nobody said.
        before: The thing before; None if it was not there.
        after: The thing after.
        source_ip: Where it came from; empty if unknown.
        prev_hash: Hash of the act before.
        hash: SHA-256 of that and of this act.
        is_whole: Whether it is that of what stands here; false of an act that somebody changed afterwards.
    """

    at: str
    actor: str
    action: str
    object: str
    reason: str
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None
    source_ip: str
    prev_hash: str
    hash: str
    is_whole: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditShown:
    """What people changed.

    Attributes:
        since: Start.
        until: End, excluded.
        acts: Newest first, at most 1,000 and those that wait for the store.
    """

    since: str
    until: str
    acts: tuple[ActShown, ...]


def adjustments_shown(agreed: Iterable[Agreed], at_s: int) -> AdjustmentsShown:
    """Return times that count less."""
    found = sorted(agreed, key=lambda one: (-one.start_s, one.id))
    return AdjustmentsShown(adjustments=tuple(adjustment_shown(one, at_s) for one in found))


def adjustment_shown(agreed: Agreed, at_s: int) -> AdjustmentShown:
    """Return one time that counts less."""
    return AdjustmentShown(
        id=agreed.id,
        selector=tuple(MatcherShown(name=one.name, op=one.op.value, value=one.value) for one in agreed.matchers),
        start=instant(agreed.start_s) or "",
        end=instant(agreed.end_s) or "",
        rrule="" if agreed.repeat is None else rule(agreed.repeat),
        percent_excluded=agreed.excluded_percent,
        reason=agreed.reason,
        author=agreed.author,
        made_at=instant(agreed.made_at_s) or "",
        retroactive=agreed.is_retroactive,
        state=_state(agreed, at_s),
    )


def act_shown(one: Act) -> ActShown:
    """Return one act."""
    before, after = _thing(one.before), _thing(one.after)
    told = after or {}
    return ActShown(
        at=instant(one.at_ms // 1000) or "",
        actor=one.actor,
        action=one.action,
        object=one.object,
        reason=str(told.get("reason") or told.get("comment") or told.get("text") or ""),
        before=before,
        after=after,
        source_ip=one.source_ip,
        prev_hash=one.prev_hash,
        hash=one.hash,
        is_whole=broken_at([one]) is None,
    )


def _state(agreed: Agreed, at_s: int) -> str:
    if not agreed.excluded_percent:
        return "withdrawn"
    if at_s < agreed.start_s:
        return "planned"
    return "active" if at_s < agreed.over_s else "past"


def _thing(text: str) -> dict[str, Any] | None:
    """Return a state; what somebody else wrote may be any text."""
    try:
        return msgspec.json.decode(text, type=dict[str, Any]) if text else None
    except msgspec.MsgspecError:
        return {"text": text}
