"""Knows schedules that the past of scaling targets suggests as rows of a panel; refuses to look for peaks.

A target without any has one row, which says what is missing.

Source: spec/scaling.md 6.5 (learnt schedules are proposals, never applied).
"""

from collections.abc import Sequence

from slo.hints_published import Hinting
from slo.hints_shown import ProposalsShown, proposals_shown
from slo.panel_asked import PanelAsked
from slo.panel_cells import Row
from slo.panel_documents import Documented


def suggested(hinting: Hinting | None, asked: PanelAsked) -> Documented:
    """Return what is suggested.

    Args:
        hinting: The targets; None without any.
        asked: Which of them, by the filter of endpoints: for rows of hints these are targets.
    """
    if hinting is None:
        return Documented()
    names = [name for name in hinting.published.names() if not asked.endpoint or name in asked.endpoint]
    return Documented(rows=[row for name in names for row in _of_target(hinting, name)])


def _of_target(hinting: Hinting, name: str) -> Sequence[Row]:
    hinted, habits = hinting.published.hinted(name), hinting.habits(name)
    if hinted is None:  # it left the file meanwhile
        return ()
    if habits is None:
        return [{"target": name, "why": "its past was not looked at yet"}]
    return _rows(proposals_shown(hinted, habits.history))


def _rows(of: ProposalsShown) -> Sequence[Row]:
    if of.days < of.days_needed:
        return [{"target": of.target, "why": f"insufficient: {of.days} of {of.days_needed} days", "days": of.days}]
    if not of.proposals:
        return [{"target": of.target, "why": "no peak that has no schedule comes again", "days": of.days}]
    return [
        {
            "target": of.target,
            "why": one.text,
            "expected": one.expected_rps,
            "held": one.held,
            "days": one.days,
            "yaml": one.yaml,
        }
        for one in of.proposals
    ]
