"""Knows what is said of an alert, to whomever; refuses to know who hears it.

Source: spec/slo.md 9 (states), 11 (keys, times), 12 (annotations, 16 KiB).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

ANNOTATIONS_BYTES_MAX = 16 << 10
"""Longest annotations of one alert; what does not fit is cut off, and says so."""
_CUT = " [cut]"


class Status(StrEnum):
    """Whether an alert holds."""

    FIRING = "firing"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One thing to say of one alert.

    Attributes:
        fingerprint: Identity of the alert.
        occurrence: How many times it has fired, from 1 on.
        status: Whether it holds.
        n: How many times this was said before, for this occurrence and status.
        starts_at_s: When this occurrence began to fire, unix time.
        ends_at_s: When it ended; None while it fires.
        labels: Its identity.
        annotations: Words for a person.
        link: Where to look; empty if nowhere.
    """

    fingerprint: int
    occurrence: int
    status: Status
    n: int
    starts_at_s: int
    ends_at_s: int | None = None
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    link: str = ""

    @property
    def key(self) -> str:
        """What lets a receiver know a repetition; the same for every replica and every try."""
        return f"{self.fingerprint:016x}-{self.occurrence}-{self.status}-{self.n}"

    @property
    def severity(self) -> str:
        """`page`, `ticket` or `info`."""
        return self.labels.get("severity", "info")

    @property
    def summary(self) -> str:
        """One sentence."""
        return self.annotations.get("summary") or self.labels.get("alertname", "alert")


def fitted(annotations: Mapping[str, str]) -> dict[str, str]:
    """Return annotations that fit, in their order; what does not is cut off."""
    left = ANNOTATIONS_BYTES_MAX
    kept: dict[str, str] = {}
    for name, text in annotations.items():
        left -= len(name.encode())
        if left <= len(_CUT):
            break
        kept[name] = _cut(text, left)
        left -= len(kept[name].encode(errors="replace"))
    return kept


def _cut(text: str, bytes_max: int) -> str:
    raw = text.encode(errors="replace")
    return text if len(raw) <= bytes_max else raw[: bytes_max - len(_CUT)].decode(errors="ignore") + _CUT
