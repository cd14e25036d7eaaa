"""Knows what people put on the desk: acknowledgements, markers, overrides; refuses to know where they are kept.

Source: spec/slo.md 10 (acks), 16 (override), 17 (markers).
"""

import hashlib
from dataclasses import dataclass, replace
from enum import StrEnum

import msgspec

from slo.errors import ObjectiveError

NAME_CHARS_MAX = 256
"""Longest name of a person, service, endpoint or version."""
TEXT_CHARS_MAX = 2_000
"""Longest sentence that a person writes."""
OVERRIDE_S_MAX = 86_400
"""Longest override of the gate."""


class MarkerKind(StrEnum):
    """What happened."""

    DEPLOY = "deploy"
    CONFIG = "config"
    SCALE = "scale"
    PRICE = "price"
    INCIDENT = "incident"
    MAINTENANCE = "maintenance"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ack:
    """Somebody took an alert on: it is not told again while this occurrence of it fires.

    Attributes:
        fingerprint: Of the alert.
        who: Who.
        at_s: When, unix time.
        until_s: Until when; None for as long as it fires.
    """

    fingerprint: int
    who: str
    at_s: int
    until_s: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Marker:
    """Something that happened and may explain a change.

    Attributes:
        at_s: When it began, unix time.
        end_s: When it ended; None for an instant.
        kind: What it was.
        service: What it happened to.
        endpoint: Endpoint concerned; empty for all.
        version: Version that came; empty if none.
        actor: Who caused it.
        automated: Whether a program did.
        text: What a person wants to read.
        withdrawn: Whether this takes back what says the same otherwise.
    """

    at_s: int
    kind: MarkerKind
    service: str
    actor: str
    end_s: int | None = None
    endpoint: str = ""
    version: str = ""
    automated: bool = False
    text: str = ""
    withdrawn: bool = False

    @property
    def id(self) -> str:
        """Its name: what says the same has the same, also what withdraws it."""
        told = msgspec.json.encode(replace(self, withdrawn=False), order="deterministic")
        return hashlib.sha256(told).hexdigest()[:16]


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """Somebody lets releases pass the gate for a while.

    Attributes:
        service: Whose; empty for all.
        slo: Of which objective; empty for all.
        who: Who.
        reason: Why.
        at_s: From here on, unix time.
        until_s: Until here.
    """

    service: str
    slo: str
    who: str
    reason: str
    at_s: int
    until_s: int


def check_override(override: Override) -> None:
    """Refuse an override that is too long, or that nobody answers for.

    Raises:
        ObjectiveError: It names what is wrong.
    """
    length_s = override.until_s - override.at_s
    if not 0 < length_s <= OVERRIDE_S_MAX:
        raise ObjectiveError("", "until", f"{length_s} s from now", f"1 to {OVERRIDE_S_MAX} s")
    for key, value in (("who", override.who), ("reason", override.reason)):
        if not value.strip():
            raise ObjectiveError("", key, "nothing", "a few words")
