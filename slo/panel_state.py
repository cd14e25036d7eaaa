"""Knows how a panel stands, and which steps it must show though the store has no row; refuses to ask.

| state | when |
|---|---|
| error | the store did not answer the question |
| refused | what is asked for is not kept; or there are rows, and n is too small for every number |
| blind | no heartbeat within two minutes |
| locked | there are requests, what the panel shows was not measured for any, and a switch of that engine would |
| no_traffic | heartbeats are fresh, and no request ended |
| stale | the newest is older than three steps, and 15 s |
| partial | not every expected collector is heard |

Source: spec/ui.md 4 (states), 1.3 (switches).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from slo.panel_cells import Cells, Row
from slo.panel_shown import Blind, PanelState, Unlock
from slo.panel_window import Span
from slo.telemetry_state import STALE_S
from telemetry.panel import OF_REQUESTS, Kind, N, Panel, Reads, Role, Unit

STALE_LEAST_S = 15
"""Youngest age of anything that is stale."""


_COUNTED = frozenset({Unit.PER_S, Unit.PER_H, Unit.TOKENS_PER_S, Unit.TOKENS, Unit.REQUESTS, Unit.RECORDS, Unit.COUNT})
"""Units of what is 0 where there was nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What is known beside the rows of a panel.

    Attributes:
        expected: Collectors that should be heard.
        fresh: Those of them that are.
        silent: The others.
        watermark_ms: Everything that ended before is stored, unix milliseconds; None if nobody says so.
        requests: Requests in the time by whose they are; None if it was not asked.
        sources: Who timed first tokens, as far as it is known.
        engines: Engines of the endpoints that may lack a switch.
        blind: When nobody looked.
        is_kept: Whether it is still known who was heard.
        unknown_until_s: Until when that is not known any more, unix seconds; None if all of it is.
    """

    expected: int = 0
    fresh: int = 0
    silent: tuple[str, ...] = ()
    watermark_ms: int | None = None
    requests: Mapping[str, int] | None = None
    sources: tuple[str, ...] = ()
    engines: tuple[str, ...] = ()
    blind: tuple[Blind, ...] = ()
    is_kept: bool = True
    unknown_until_s: int | None = None

    @property
    def coverage(self) -> float | None:
        """Share of the expected collectors that is heard."""
        return self.fresh / self.expected if self.expected else None

    @property
    def is_blind(self) -> bool:
        """Whether nobody is heard."""
        return self.is_kept and self.fresh == 0

    def is_unseen(self, since_s: int, until_s: int) -> bool:
        """Return whether nobody looked in a time, or nobody knows any more whether somebody did."""
        if self.unknown_until_s is not None and since_s < self.unknown_until_s:
            return True
        return any(one.start < until_s and since_s < one.end for one in self.blind)


def state(panel: Panel, rows: Sequence[Row], told: Cells, seen: Seen, *, traffic: str, stale: bool) -> PanelState:
    """Return how a panel stands whose question was answered.

    Args:
        panel: The panel.
        rows: What the store answered.
        told: What may be said of it.
        seen: What is known beside it.
        traffic: Whose requests are shown.
        stale: Whether the newest is too old.
    """
    of_requests = panel.reads in OF_REQUESTS
    came = None if seen.requests is None else seen.requests.get(traffic, 0)
    if (of_requests or panel.reads is Reads.HEARTBEATS) and seen.is_blind:
        return PanelState.BLIND
    if came != 0 and unlock(panel, seen.engines) is not None and not _is_proven(panel, rows):
        return PanelState.LOCKED
    if of_requests and came == 0:
        return PanelState.NO_TRAFFIC
    if stale:
        return PanelState.STALE
    if seen.coverage is not None and seen.coverage < 1:
        return PanelState.PARTIAL
    return PanelState.REFUSED if _says_nothing(told) else PanelState.OK


def is_stale(age_s: float | None, step_s: int) -> bool:
    """Return whether what is that old is stale: older than three steps, and 15 s."""
    return age_s is not None and age_s > max(3 * step_s, STALE_LEAST_S)


def unlock(panel: Panel, engines: Sequence[str]) -> Unlock | None:
    """Return the switch that fills a panel; None if no switch of these engines does."""
    engine = next((one for one in engines if one in panel.unlock), "*")
    flag = panel.unlock.get(engine)
    return None if flag is None else Unlock(engine=engine, flag=flag)


def blind_spans(heard_s: Sequence[int], since_s: int, until_s: int, step_s: int) -> tuple[Blind, ...]:
    """Return when nobody looked for longer than two minutes.

    Args:
        heard_s: Starts of the steps in which somebody was heard, unix seconds, ascending.
        since_s: Start.
        until_s: End.
        step_s: Length of those steps.
    """
    ends = [since_s, *(at + step_s for at in heard_s)]
    starts = [*heard_s, until_s]
    gaps = zip(ends, starts, strict=True)
    return tuple(Blind(start=end, end=start) for end, start in gaps if start - end > STALE_S)


def filled(panel: Panel, rows: Sequence[Row], of: Span, seen: Seen) -> list[Row]:
    """Return a series with a row for each step: of no request where somebody looked, of nothing where nobody did.

    No request is 0 of what is counted; a share or a mean of none is unknown, as is what collectors count and did not.

    Args:
        panel: The panel; one whose rows have keys, or whose steps have many cells, is returned as it is.
        rows: In order of time.
        of: The time, of whole steps.
        seen: When nobody looked.
    """
    if not panel.has_steps or panel.kind is Kind.HEATMAP or any(one.role is Role.KEY for one in panel.columns):
        return list(rows)
    known = {int(str(row["t"])): row for row in rows}
    nothing: dict[str, object] = {N: 0 if panel.reads in OF_REQUESTS else None}
    if panel.reads is Reads.REQUESTS:
        counts = [one.name for one in panel.columns if one.role is Role.VALUE and one.unit in _COUNTED]
        nothing |= {name: 0 for name in counts if name not in panel.heard}
    found: list[Row] = []
    for at_s in range(of.since_ms // 1000, of.until_ms // 1000, of.step_s):
        if row := known.get(at_s):
            found.append(row)
        else:
            is_unseen = seen.is_unseen(at_s, at_s + of.step_s)
            found.append({"t": at_s, N: None} if is_unseen else {**nothing, "t": at_s})
    return found


def _is_proven(panel: Panel, rows: Sequence[Row]) -> bool:
    proofs = panel.proof or tuple(one.name for one in panel.columns if one.role is Role.VALUE)
    return any(row.get(name) not in (None, "") for row in rows for name in proofs)


def _says_nothing(told: Cells) -> bool:
    if not told.refused or not told.rows:
        return False
    values = [place for place, one in enumerate(told.columns) if one.role is Role.VALUE]
    return all(row[place] is None for row in told.rows for place in values)
