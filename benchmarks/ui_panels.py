"""Knows how long each panel's answer takes, from the question over HTTP to its last byte; refuses to know browsers.

Each panel is asked one at a time, over several lengths of time, and where two servers stand over the same store, of
both in turns. What stands beside a panel (who is heard, whose requests there are) is asked for with it, or remembered
for a second, as on a page. What is told is the nearest rank, so of fewer than twenty answers it is the largest.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from benchmarks.ui_site import Site
from telemetry.clock import monotonic_ns, wall_ms

HOUR_S = 3_600
NOT_ANSWERED = frozenset({"error", "refused"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """How long one panel took over one length of time.

    Attributes:
        panel: Its id.
        length_s: The time.
        ms: Of each answer, by server.
        state: Of the last one.
        rows: Of the last one.
    """

    panel: str
    length_s: int
    ms: Sequence[Sequence[float]]
    state: str
    rows: int

    def p95_ms(self, server: int = 0) -> float:
        """Return the 95th percentile, milliseconds."""
        ordered = sorted(self.ms[server])
        return ordered[math.ceil(0.95 * len(ordered)) - 1]

    def median_ms(self, server: int = 0) -> float:
        """Return the median, milliseconds."""
        return median(self.ms[server])


def asked(sites: Sequence[Site], lengths_s: Sequence[int], times: int, only: Sequence[str] = ()) -> list[Seen]:
    """Ask for every panel that the store answers.

    Args:
        sites: Servers over the same store.
        lengths_s: Lengths of time, which all end now.
        times: Answers of each panel, length and server.
        only: Ids of panels; none: all.
    """
    panels: list[dict[str, Any]] = sites[0].get("/v1/panels").json()["panels"]
    ids = [one["id"] for one in panels if one["id"] in (only or {one["id"]})]
    return [_one(sites, panel_id, length_s, times) for panel_id in ids for length_s in lengths_s]


def _one(sites: Sequence[Site], panel_id: str, length_s: int, times: int) -> Seen:
    ms: list[list[float]] = [[] for _ in sites]
    last: dict[str, Any] = {}
    filters = {"endpoint": "endpoint-00"} if panel_id.startswith("ep.") else {}
    for n in range(times):
        until_s = wall_ms() // 1000
        # No two are alike, for a server tells what was asked within the second as it was.
        given = {"from": str(until_s - length_s - n), "to": str(until_s), **filters}
        for at, site in enumerate(sites):
            started_ns = monotonic_ns()
            answer = site.get(f"/v1/panels/{panel_id}.json", **given)
            ms[at].append((monotonic_ns() - started_ns) / 1e6)
            last = answer.json()
    state, rows = str(last.get("state", last.get("title"))), len(last.get("rows", ()))
    return Seen(panel=panel_id, length_s=length_s, ms=ms, state=state, rows=rows)
