"""Knows the routes about times that count less, and about who changed what; refuses to count.

Source: spec/slo.md 4, 17; spec/reliability.md 10 (audit).
"""

from typing import Annotated

from fastapi import Body, Path, Query, Request, Response

from slo.adjustments import Agreed
from slo.alertmanager_body import rfc3339
from slo.api_asked import AdjustmentBody, Nothing, TimesAsked, WithdrawAsked
from slo.api_parts import DAY_S, Parts, by, invalid, seconds, span_s
from slo.api_reply import ProblemError, reply
from slo.problem import ProblemCode
from slo.recurrence import repeat
from slo.shown_adjustments import AuditShown, act_shown, adjustment_shown, adjustments_shown
from slo.silence import Matcher

_WEEK_S = 7 * DAY_S
AdjustmentPath = Annotated[str, Path(max_length=64, description="Of the adjustment.")]


class AdjustmentRoutes:
    """Routes about times that count less, and the audit trail.

    Args:
        parts: What they speak to.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def adjustments(self, request: Request, _asked: Annotated[Nothing, Query()]) -> Response:
        """Every time that counts less, those that begin last first."""
        found = self._parts.desk.adjustments().values()
        return reply(request, adjustments_shown(found, self._parts.now_s()))

    def agree(self, request: Request, body: Annotated[AdjustmentBody, Body()]) -> Response:
        """Let a time count less.

        It leaves budgets from the next instant on, and nothing else: burn rates and alerts stay as they are. What is
        entered before it begins and takes out everything also holds the notices of its objectives back.
        """
        now_s, start_s = self._parts.now_s(), seconds(body.start)
        made = Agreed(
            id=self._parts.new_id(),
            matchers=tuple(Matcher(name=one.name, op=one.op, value=one.value) for one in body.selector),
            start_s=start_s,
            end_s=_end_s(body, start_s),
            repeat=repeat(body.rrule) if body.rrule else None,
            excluded_percent=body.percent_excluded,
            reason=body.reason,
            author=body.author,
            made_at_s=now_s,
        )
        self._parts.desk.agree(made, by(request, self._parts, body.author))
        return reply(request, adjustment_shown(made, now_s), 201)

    def withdraw(
        self, request: Request, adjustment_id: AdjustmentPath, asked: Annotated[WithdrawAsked, Query()]
    ) -> Response:
        """Let a time count again, its past occurrences too; to end one that comes again, make it anew with UNTIL."""
        agreed = self._parts.desk.adjustments().get(adjustment_id)
        if agreed is None:
            raise ProblemError(ProblemCode.NOT_FOUND, "there is no such adjustment")
        if agreed.excluded_percent:
            agreed = self._parts.desk.withdraw(agreed, by(request, self._parts, asked.who, asked.reason))
        return reply(request, adjustment_shown(agreed, self._parts.now_s()))

    def audit(self, request: Request, asked: Annotated[TimesAsked, Query()]) -> Response:
        """Who changed what, newest first."""
        since_s, until_s = span_s(asked.since, asked.until, self._parts.now_s() + 1, _WEEK_S)
        known = {one.hash: one for one in self._parts.shared.acts(since_s, until_s)}
        known |= {one.hash: one for one in self._parts.desk.acts(since_s, until_s)}
        newest_first = sorted(known.values(), key=lambda one: -one.at_ms)
        shown = tuple(map(act_shown, newest_first))
        return reply(request, AuditShown(since=rfc3339(since_s), until=rfc3339(until_s), acts=shown))


def _end_s(body: AdjustmentBody, start_s: int) -> int:
    if (body.end is None) == (body.duration_s is None):
        raise invalid("body.end", "one of `end` and `duration_s` is needed")
    return start_s + (body.duration_s or 0) if body.end is None else seconds(body.end)
