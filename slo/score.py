"""Knows how well pages meet incidents that people marked; refuses to know how pages come about.

A page meets an incident of its service if it begins at most ten minutes before, within, or at most ten minutes after
it. Without incidents there is no precision and no recall: nobody said when something was wrong.

Source: spec/slo.md 15.
"""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

NEAR_S = 600
"""How far from an incident a page may begin and still speak of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """A span in which something was wrong.

    Attributes:
        start_s: Its first second, unix time.
        end_s: The second after the last one.
        service: Whose; empty for all.
        label: What people call it.
    """

    start_s: int
    end_s: int
    service: str = ""
    label: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """How well pages meet incidents; None where nothing can be said.

    Attributes:
        precision_ratio: Share of the pages that meet an incident.
        recall_ratio: Share of the incidents that a page meets.
        detect_s: Median seconds from the start of an incident to its first page, 0 if that came before.
        found: Incident by incident: seconds to its first page; None if there was none.
    """

    precision_ratio: float | None
    recall_ratio: float | None
    detect_s: float | None
    found: tuple[int | None, ...]


def score(pages: Sequence[tuple[int, str]], incidents: Sequence[Incident]) -> Score:
    """Return how well pages meet incidents.

    Args:
        pages: When each page began, unix time, and its service.
        incidents: What people marked.
    """
    found = tuple(_first_s(pages, incident) for incident in incidents)
    delays = [delay for delay in found if delay is not None]
    met = sum(any(_meets(page, incident) for incident in incidents) for page in pages)
    return Score(
        precision_ratio=met / len(pages) if incidents and pages else None,
        recall_ratio=len(delays) / len(found) if found else None,
        detect_s=statistics.median(delays) if delays else None,
        found=found,
    )


def _meets(page: tuple[int, str], incident: Incident) -> bool:
    at_s, service = page
    near = incident.start_s - NEAR_S <= at_s <= incident.end_s + NEAR_S
    return near and incident.service in {"", service}


def _first_s(pages: Sequence[tuple[int, str]], incident: Incident) -> int | None:
    meeting = [at_s for at_s, service in pages if _meets((at_s, service), incident)]
    return max(0, min(meeting) - incident.start_s) if meeting else None
