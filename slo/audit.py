"""Knows the trail of what people changed, each act bound to the one before; refuses to know where it is kept.

    hash = SHA-256(hash of the act before, canonical JSON of this one)

so an act that is changed, left out or put in between breaks the chain from there on. Each engine has its own chain, and
so have the baselines of a data directory.

Source: spec/store.md 3 (`audit`); spec/slo.md 4, 16 (what is audited); RFC 8785 in spirit: sorted keys, no blanks.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from hashlib import sha256
from typing import Any, cast

import msgspec

FIRST_HASH = "0" * 64
"""What the first act of a chain follows."""


class Deed(StrEnum):
    """What was done."""

    SILENCE_MADE = "silence.create"
    SILENCE_ENDED = "silence.end"
    ALERT_TAKEN_ON = "alert.ack"
    MARKER_MADE = "marker.create"
    MARKER_WITHDRAWN = "marker.withdraw"
    ADJUSTMENT_MADE = "adjustment.create"
    ADJUSTMENT_WITHDRAWN = "adjustment.withdraw"
    GATE_OVERRIDDEN = "gate.override"
    TARGET_TESTED = "target.test"
    HINT_TAKEN_ON = "hint.ack"
    REPLICAS_REPORTED = "hint.replicas"
    TARGET_FROZEN = "hint.freeze"
    TARGET_THAWED = "hint.unfreeze"
    BASELINE_SAVED = "baseline.save"
    BASELINE_PROMOTED = "baseline.promote"


@dataclass(frozen=True, slots=True, kw_only=True)
class By:
    """Who does something.

    Attributes:
        who: As that person says.
        at_s: When, unix time.
        address: Where it came from; empty if unknown.
        reason: Why, where the thing itself does not say so.
    """

    who: str
    at_s: int
    address: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One act.

    Attributes:
        at_ms: When, unix milliseconds.
        actor: Who.
        action: What was done.
        object: To what.
        before: Its state before, JSON; empty if there was none.
        after: Its state after, JSON.
        source_ip: Where it came from; empty if unknown.
        prev_hash: Hash of the act before, hexadecimal.
        hash: Its own.
    """

    at_ms: int
    actor: str
    action: str
    object: str
    before: str
    after: str
    source_ip: str
    prev_hash: str
    hash: str


def act(deed: Deed, of: str, by: By, states: tuple[object, object], prev_hash: str) -> Act:
    """Return the act that follows another.

    Args:
        deed: What was done.
        of: To what.
        by: Who did it.
        states: The thing before and after, records or None; a reason of its own stands beside the latter.
        prev_hash: Hash of the act before.
    """
    before, after = (_state(one) for one in states)
    after |= {"reason": by.reason} if by.reason else {}
    made = Act(
        at_ms=by.at_s * 1000,
        actor=by.who,
        action=deed.value,
        object=of,
        before=_text(before),
        after=_text(after),
        source_ip=by.address,
        prev_hash=prev_hash,
        hash="",
    )
    return replace(made, hash=digest(made))


def digest(one: Act) -> str:
    """Return what the hash of an act must be."""
    told = {name: value for name, value in asdict(one).items() if name not in {"hash", "prev_hash"}}
    return sha256(bytes.fromhex(one.prev_hash) + msgspec.json.encode(told, order="sorted")).hexdigest()


def broken_at(acts: Sequence[Act]) -> int | None:
    """Return the first of some acts, oldest first, that does not follow; None if all do."""
    for at, one in enumerate(acts):
        follows = at == 0 or one.prev_hash == acts[at - 1].hash
        if not follows or not _is_own(one):
            return at
    return None


def _is_own(one: Act) -> bool:
    """Return whether the hash of an act is that of what stands there; what somebody else wrote may be any text."""
    try:
        return one.hash == digest(one)
    except ValueError:
        return False


def _state(one: object) -> dict[str, Any]:
    found: object = msgspec.to_builtins(one)
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}


def _text(state: dict[str, Any]) -> str:
    return msgspec.json.encode(state, order="sorted").decode() if state else ""
