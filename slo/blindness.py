"""Knows when nobody looked, by endpoint, and remembers it; refuses to say what that does to a budget.

An instant stands for the bucket before it. It is noted as it is judged, and asked about once more when late rows are
counted no longer: a store that was gone, or a collector that was cut off, may have told of it by then, and then it was
not blind. What is noted is the engine's own; after that second look all replicas agree.

Error: instants that no engine judged, because none ran, are not noted.

Source: spec/slo.md 7 (blind minutes, each with its cause), 8 (late rows up to an hour).
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

import msgspec

from slo.ledger import Ledger, Note
from slo.telemetry_state import Blind, BlindCause
from slo.windows import BUCKET_S

LATE_S = 3_600
"""When an instant is asked about once more."""
AGAIN_S = 86_400
"""An instant that is older than this is not asked about any more."""
KEPT_S = 100 * 86_400
"""How long it is remembered: longer than the longest period."""
SPANS_MAX = 1_000
"""Spans of an endpoint that are remembered; beyond it the oldest are forgotten."""
_KIND = "blind"


class Blindness:
    """The blind spans of one engine.

    Args:
        ledger: Where they are remembered.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._spans: dict[str, list[Blind]] = {}
        for note in ledger.notes(_KIND):
            endpoint, spans = msgspec.json.decode(note.body, type=tuple[str, list[Blind]])
            self._spans[endpoint] = spans
        self._asked_s = 0

    def note(self, at_s: int, blind: Mapping[str, BlindCause]) -> None:
        """Take note of who is blind at an instant.

        Args:
            at_s: The instant, later than the last.
            blind: Endpoint to the cause; the empty name is everything together.

        Raises:
            LedgerError: It cannot be kept.
        """
        for endpoint, cause in blind.items():
            spans = self._spans.setdefault(endpoint, [])
            if spans and spans[-1].end_s >= at_s:
                continue  # it is an instant that was noted before a restart
            if spans and (spans[-1].end_s, spans[-1].cause) == (at_s - BUCKET_S, cause):
                spans[-1] = replace(spans[-1], end_s=at_s)
            else:
                spans.append(Blind(start_s=at_s - BUCKET_S, end_s=at_s, cause=cause))
        self._keep(blind, at_s)

    def within(self, endpoint: str, since_s: int, until_s: int) -> tuple[Blind, ...]:
        """Return what of [since, until) nobody saw of an endpoint, oldest first."""
        cut = (
            replace(one, start_s=max(one.start_s, since_s), end_s=min(one.end_s, until_s))
            for one in self._spans.get(endpoint, ())
        )
        return tuple(one for one in cut if one.length_s > 0)

    def doubtful(self, at_s: int) -> int | None:
        """Return the oldest instant that is to be asked about once more; None if there is none."""
        oldest_s, newest_s = max(self._asked_s + BUCKET_S, at_s - AGAIN_S), at_s - LATE_S
        found = (
            max(one.start_s + BUCKET_S, oldest_s)
            for spans in self._spans.values()
            for one in spans
            if one.end_s >= oldest_s and one.start_s + BUCKET_S <= newest_s
        )
        first_s = min(found, default=None)
        return first_s if first_s is not None and first_s <= newest_s else None

    def settle(self, at_s: int, seen: Iterable[str]) -> None:
        """Take note that an instant was asked about once more.

        Args:
            at_s: The instant.
            seen: Endpoints that somebody has told of; the empty name among them if anybody has told of anything.

        Raises:
            LedgerError: It cannot be kept.
        """
        self._asked_s = at_s
        for endpoint in (changed := [one for one in seen if one in self._spans]):
            self._spans[endpoint] = [
                part for one in self._spans[endpoint] for part in _without(one, at_s - BUCKET_S, at_s)
            ]
        self._keep(changed, at_s)

    def _keep(self, endpoints: Iterable[str], at_s: int) -> None:
        notes: list[Note] = []
        for endpoint in endpoints:
            spans = [one for one in self._spans[endpoint] if one.end_s > at_s - KEPT_S][-SPANS_MAX:]
            self._spans[endpoint] = spans
            notes.append(Note(name=endpoint, body=msgspec.json.encode((endpoint, spans))))
        if notes:
            self._ledger.note(_KIND, notes)


def _without(one: Blind, start_s: int, end_s: int) -> list[Blind]:
    """Return what is left of a span without a part of it."""
    parts = (replace(one, end_s=min(one.end_s, start_s)), replace(one, start_s=max(one.start_s, end_s)))
    return [part for part in parts if part.length_s > 0]
