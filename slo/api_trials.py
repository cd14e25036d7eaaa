"""Knows the routes that try something out: another threshold, a policy over the past, a target; refuses to judge.

Source: spec/slo.md 11 (test of a target), 15 (backtest), 17 (what-if).
"""

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
from typing import Annotated, Any

from fastapi import Body, Path, Query, Request, Response

from slo.alertmanager_body import rfc3339
from slo.api_asked import BacktestBody, GroupAsked, TargetTestBody, WhatIfBody
from slo.api_parts import DAY_S, Parts, by, invalid, judged_of, seconds, span_s
from slo.api_reply import ProblemError, reply
from slo.api_slos import SloName
from slo.audit import Deed
from slo.backtest import backtest
from slo.burn_catalogue import CATALOGUES
from slo.instants import STEP_S
from slo.objective import Objective
from slo.problem import ProblemCode
from slo.score import Incident
from slo.shown import METHOD
from slo.shown_backtest import backtest_shown
from slo.sight import group_of
from slo.watched import Watched, watched
from slo.whatif import WHATIF_S_MAX, VariantShown, changed, variant
from slo.wholes import events
from slo.windows import BUCKET_S

BACKTEST_S_MAX = 31 * DAY_S
"""Longest time of one backtest here; `inferometer slo backtest` takes longer ones."""
INSTANTS_MAX = 3_000_000
"""Instants of one backtest, of all objectives and groups together: a month of 30, or a day of 1,000."""
WHATIF_ROWS_MAX = 100_000
"""Buckets that are judged anew at once: a day of 34 groups."""
_AT_ONCE_S = 6 * 3_600
TargetName = Annotated[str, Path(max_length=256, description="Name of the notification channel.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class WhatIfShown:
    """An objective as it is and as it would be, over the same requests.

    Attributes:
        name: Of the objective.
        since: Start.
        until: End, excluded.
        method: How was counted.
        label: `what-if`: no stored budget is changed.
        as_is: As it is.
        what_if: As it would be.
    """

    name: str
    since: str
    until: str
    method: str
    label: str
    as_is: VariantShown
    what_if: VariantShown


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldShown:
    """What became of one test notice.

    Attributes:
        host: Where it went; what follows that may be a secret.
        said: `firing`, or `resolved` where a test must be ended.
        result: `sent`, `retry` or `refused`.
        why: Why it was not heard; empty if it was.
    """

    host: str
    said: str
    result: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetTestShown:
    """What became of a test.

    Attributes:
        target: Name of the channel.
        at: When.
        ok: Whether every instance heard it.
        told: Instance by instance.
    """

    target: str
    at: str
    ok: bool
    told: tuple[ToldShown, ...]


class TrialRoutes:
    """Routes that try something out.

    Args:
        parts: What they speak to.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._busy = Lock()

    def what_if(
        self,
        request: Request,
        name: SloName,
        asked: Annotated[GroupAsked, Query()],
        body: Annotated[WhatIfBody, Body()],
    ) -> Response:
        """Judge the requests of a time by another target, or by another condition for a good one; of a group or all."""
        objective = judged_of(self._parts.engine.view, name, asked).watched.objective
        if body.good and objective.whole is not None:
            told = f"{name} counts {events(objective.whole)}, whose condition is not one of requests; change its target"
            raise ProblemError(ProblemCode.CONFLICT, told)
        since_s, until_s = span_s(body.since, body.until, self._parts.now_s(), DAY_S, "body.from")
        since_s, until_s = since_s // BUCKET_S * BUCKET_S, until_s // BUCKET_S * BUCKET_S
        if not 0 < until_s - since_s <= WHATIF_S_MAX:
            raise invalid("body.from", f"must be {BUCKET_S} to {WHATIF_S_MAX} s before `to`")
        other = changed(objective, body.target, body.good)
        with self._alone():
            was, is_now = (
                variant(one, self._counted_anew(one, asked.values(), since_s, until_s), since_s, until_s)
                for one in (objective, other)
            )
        shown = WhatIfShown(
            name=name,
            since=rfc3339(since_s),
            until=rfc3339(until_s),
            method=METHOD,
            label="what-if",
            as_is=was,
            what_if=is_now,
        )
        return reply(request, shown)

    def backtest(self, request: Request, body: Annotated[BacktestBody, Body()]) -> Response:
        """Run policies over what is stored, and list what they would have told."""
        since_s, until_s = span_s(body.since, body.until, self._parts.now_s(), 7 * DAY_S, "body.from")
        if until_s - since_s > BACKTEST_S_MAX:
            raise invalid("body.from", f"must be at most {BACKTEST_S_MAX} s before `to`")
        watching = self._watching(body)
        incidents = [
            Incident(start_s=seconds(one.start), end_s=seconds(one.end), service=one.service, label=one.label)
            for one in body.incidents
        ]
        if any(one.end_s <= one.start_s for one in incidents):
            raise invalid("body.incidents", "must each end after they begin")
        with self._alone():
            pasts, notes = self._parts.beyond.history(watching, since_s, until_s)
            if len(pasts) * (until_s - since_s) > INSTANTS_MAX * STEP_S:
                said = f"{len(pasts)} groups of objectives are too many for that time; name some in `slos`"
                raise invalid("body.from", said)
            found = backtest(pasts, since_s, until_s, incidents)
        return reply(request, backtest_shown(found, notes))

    def test_target(self, request: Request, name: TargetName, body: Annotated[TargetTestBody, Body()]) -> Response:
        """Tell a notification channel that this is a test, once, past queue and filter."""
        now_s = self._parts.now_s()
        rows = self._parts.beyond.test(name)
        if rows is None:
            raise ProblemError(ProblemCode.NOT_FOUND, "there is no such notification channel")
        told = tuple(
            ToldShown(**{key: str(row.get(key) or "") for key in ("host", "said", "result", "why")}) for row in rows
        )
        shown = TargetTestShown(target=name, at=rfc3339(now_s), ok=all(one.result == "sent" for one in told), told=told)
        self._parts.desk.note(Deed.TARGET_TESTED, name, by(request, self._parts, body.who), shown)
        return reply(request, shown, 201)

    def _counted_anew(
        self, one: Objective, group: Mapping[str, str] | None, since_s: int, until_s: int
    ) -> Sequence[Mapping[str, Any]]:
        """Return the buckets of a group, or of all, part by part, so that no more than may be are ever held."""
        rows: list[Mapping[str, Any]] = []
        for at_s in range(since_s, until_s, _AT_ONCE_S):
            found = self._parts.lookback.counted_anew(one, at_s, min(at_s + _AT_ONCE_S, until_s))
            rows += [row for row in found if group is None or group_of(str(row["group_key"])) == group]
            if len(rows) > WHATIF_ROWS_MAX:
                said = f"more than {WHATIF_ROWS_MAX} counts are too many to judge; name one `group`, or a shorter time"
                raise invalid("body.from", said)
        return rows

    def _watching(self, body: BacktestBody) -> Sequence[Watched]:
        if not body.policy:
            known = self._parts.engine.view.watched
        else:
            objectives = self._parts.beyond.policies(body.policy)
            known = [watched(one, CATALOGUES[one.catalogue]) for one in objectives]
        chosen = [one for one in known if not body.slos or one.objective.name in body.slos]
        if missing := set(body.slos) - {one.objective.name for one in chosen}:
            raise invalid("body.slos", f"there is no objective {min(missing)}")
        return chosen

    @contextmanager
    def _alone(self) -> Generator[None]:
        """Compute one at a time; who comes meanwhile is told so, and does not wait."""
        if not self._busy.acquire(blocking=False):
            raise ProblemError(ProblemCode.CONFLICT, "another trial is being computed; ask again when it is done")
        try:
            yield
        finally:
            self._busy.release()
