"""Knows how to read our own metrics page into one line that says whether anything was lost; refuses to fetch it.

Source: spec/store.md 12 (accounting identity); collector.exposition (names on the page).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

_SAMPLE = re.compile(r"^inferometer_(\w+?)(?:\{([^}]*)\})? (\S+)$", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="([^"]*)"')
_LANE = "requests"


@dataclass(frozen=True, slots=True, kw_only=True)
class Accounts:
    """Where the recorded requests are.

    Attributes:
        accepted: Records offered to the spool.
        stored: Records that the store acknowledged.
        spooled: Records that wait for the store.
        dropped: Records given up.
        dlq: Records in the dead letter queue.
        frames_dropped: Frames that the tees dropped because the observer lagged.
        requests_open: Requests in flight.
    """

    accepted: int
    stored: int
    spooled: int
    dropped: int
    dlq: int
    frames_dropped: int
    requests_open: int

    @property
    def residue(self) -> int:
        """Records that nobody accounts for; 0 unless we have a fault."""
        return self.accepted - self.stored - self.spooled - self.dropped - self.dlq

    def line(self) -> str:
        """Return the identity as people read it."""
        text = (
            f"accepted {self.accepted} = stored {self.stored} + spooled {self.spooled} "
            f"+ dropped {self.dropped} + dlq {self.dlq}; "
            f"frames dropped {self.frames_dropped}; open {self.requests_open}"
        )
        return text if not self.residue else f"{text}; UNACCOUNTED {self.residue}"

    def document(self) -> dict[str, int]:
        """Return the figures as they go out in JSON."""
        names = ("accepted", "stored", "spooled", "dropped", "dlq", "residue", "frames_dropped", "requests_open")
        return {name: int(getattr(self, name)) for name in names}


def accounts(page: str) -> Accounts:
    """Read a metrics page; what is not on it counts as 0, because a counter appears with its first event."""
    samples = {(name, _labels(labels)): float(value) for name, labels, value in _SAMPLE.findall(page)}
    states = {state: _of(samples, "records_total", lane=_LANE, state=state) for state in _STATES}
    return Accounts(
        **states,
        spooled=_of(samples, "spooled_records", lane=_LANE),
        frames_dropped=_of(samples, "tee_frames_dropped_total"),
        requests_open=_of(samples, "requests_open"),
    )


_STATES = ("accepted", "stored", "dropped", "dlq")
_Labels = frozenset[tuple[str, str]]


def _labels(text: str) -> _Labels:
    return frozenset(_LABEL.findall(text))


def _of(samples: Mapping[tuple[str, _Labels], float], name: str, **labels: str) -> int:
    return int(samples.get((name, frozenset(labels.items())), 0))
