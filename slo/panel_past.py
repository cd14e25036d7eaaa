"""Knows what engine, store, desk and ledger say together as rows of panels: budgets over time, incidents, notices.

It refuses to judge. What was found at one instant is remembered until the next: many look at it, and it cannot change.

Source: spec/ui.md 5 (slo.budget, slo.stages, slo.mttr, alert.delivery); spec/slo.md 2, 4, 11, 18.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from slo.adjuster import labels_of, period_start_s
from slo.adjustments import Agreed, Segment, segments, selects, spans
from slo.alarms import Judged
from slo.budget_curve import Pace, Spent, added_up, ahead, left, until_spent
from slo.errors import LedgerError
from slo.evaluation import Evaluated
from slo.ledger import Item, Step
from slo.lookback import Lookback
from slo.mttr import ENOUGH
from slo.objective import Objective, Rolling
from slo.panel_about import judged_of
from slo.panel_asked import PanelAsked
from slo.panel_cells import Row
from slo.panel_documents import Documented, documented
from slo.panel_shown import Adjusted, Blind
from slo.panel_window import span
from slo.periods import civil
from slo.shown import found_in, seen_at_s, slos_shown
from slo.shown_incidents import FiguresShown, MaturityShown, TimesShown, maturity_shown, mttr_shown
from slo.sliced import is_sliced
from slo.stages import Times
from slo.target import Target
from slo.view import EngineView
from slo.watched import HOUR_S
from slo.windows import BUCKET_S
from telemetry.panel import Document

POINTS = 750
"""Steps of a period: a chart has fewer pixels."""
AHEAD_POINTS = 60
KEPT_MAX = 64
"""Answers that are remembered."""
_BAND_S = (HOUR_S, 6 * HOUR_S, 24 * HOUR_S)
_ALL = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What was said, and to whom.

    Attributes:
        items: Notices and what became of them, newest first.
        waits_s: Seconds until a receiver may be asked again, by channel.
        told_again: Receivers that are told every minute what stands, and how they fare.
    """

    items: Sequence[Item] = ()
    waits_s: Mapping[str, float] = field(default_factory=dict[str, float])
    told_again: Sequence[Target] = ()


class Documents:
    """Answers what no statement can; may be called from any thread.

    Args:
        view: Returns what the engine saw last.
        lookback: Asks the store.
        said: Returns what was said.
        now_s: Reads the wall clock, unix seconds.
        agreed: Returns the times that count less, as they are now.
        suggested: Returns the schedules that the past of scaling targets suggests.
    """

    def __init__(
        self,
        view: Callable[[], EngineView],
        lookback: Lookback,
        said: Callable[[], Said],
        now_s: Callable[[], int],
        agreed: Callable[[], Sequence[Agreed]] = tuple,
        suggested: Callable[[PanelAsked], Documented] = lambda _: Documented(),
    ) -> None:
        self._view, self._lookback, self._said, self._now_s = view, lookback, said, now_s
        self._agreed, self._suggested = agreed, suggested
        self._kept: OrderedDict[object, Documented] = OrderedDict()

    def __call__(self, document: Document, asked: PanelAsked) -> Documented:
        """Return what is known.

        Raises:
            StoreError: The store did not answer.
        """
        view = self._view()
        match document:
            case Document.BUDGET:
                return self._budget(view, asked)
            case Document.INCIDENTS:
                key = (document, view.at_s, self._now_s() // BUCKET_S, *asked.endpoint)
                return self._once(key, lambda: self._incidents(view, asked))
            case Document.STAGES:
                return self._once((view.at_s, asked.model_dump_json()), lambda: self._stages(view, asked))
            case Document.NOTICES:
                return self._notices(view, asked)
            case Document.PROPOSALS:
                return self._suggested(asked)
            case _:
                return documented(view, document, asked)

    def _once(self, key: object, make: Callable[[], Documented]) -> Documented:
        known = self._kept.get(key)
        if known is None:
            known = self._kept[key] = make()
            while len(self._kept) > KEPT_MAX:
                self._kept.popitem(last=False)
        return known

    def _budget(self, view: EngineView, asked: PanelAsked) -> Documented:
        one = judged_of(view, asked) or _worst(view)
        if one is None or one.found is None:
            return Documented(at_s=seen_at_s(view), is_blind=bool(view.watched))
        found = one.found
        name, group = one.watched.objective.name, sorted(one.group.items())
        agreed = tuple(each for each in self._agreed() if selects(each, labels_of(one.watched.objective, one.group)))
        key = (name, one.watched.definition_hash, *group, found.facts.at_s, *agreed)
        return self._once(key, lambda: self._curve(one, found, agreed))

    def _curve(self, one: Judged, found: Evaluated, agreed: Sequence[Agreed]) -> Documented:
        objective, at_s = one.watched.objective, found.as_of_s
        of = self._spent(one, objective, at_s, agreed)
        began_s = max(of.known_s, period_start_s(objective, at_s))
        rows: list[Row] = []
        if not is_sliced(objective):  # of slices only the present is known
            rows += [
                {"t": t_s, "budget_left": left(of, period_start_s(objective, t_s), t_s, objective.target)}
                for t_s in range(began_s + of.step_s, at_s, of.step_s)
            ]
        now = found.left.remaining
        coming = _ahead(objective, found, of, began_s)
        rows += [{"t": at_s, "budget_left": now, **(dict.fromkeys(_PROJECTED, now) if coming else {})}, *coming]
        span_s = (began_s, max(at_s + of.step_s, int(str(rows[-1]["t"]))))
        return Documented(
            rows=rows,
            at_s=found.facts.at_s,
            is_blind=found.known.is_blind,
            blind=tuple(Blind(start=max(began_s, one.start_s), end=one.end_s) for one in found.facts.blind),
            adjusted=tuple(Adjusted(start=first, end=last, percent=out) for first, last, out in _out(agreed, *span_s)),
            span_s=span_s,
            step_s=of.step_s,
        )

    def _spent(self, one: Judged, objective: Objective, at_s: int, agreed: Sequence[Agreed]) -> Spent:
        """Return the counts of this period and, where it rolls, of the one before it, in steps that fit a chart."""
        first_s = period_start_s(objective, at_s)
        if isinstance(objective.window, Rolling):
            first_s -= objective.window.length_s
        step_s = _step_s(at_s - first_s)
        rows = self._lookback.series(one, first_s, at_s, step_s)
        known_s = int(rows[0]["t_unix_s"]) if rows else at_s - BUCKET_S
        if (finer_s := _step_s(at_s - known_s)) < step_s:
            first_s, step_s = known_s, finer_s
            rows = self._lookback.series(one, first_s, at_s, step_s)
        counts = [(int(row["t_unix_s"]), int(row["eligible"]), int(row["eligible"]) - int(row["good"])) for row in rows]
        return added_up(counts, first_s, at_s, step_s, _out(agreed, first_s, at_s))

    def _incidents(self, view: EngineView, asked: PanelAsked) -> Documented:
        now_s = self._now_s()
        of = self._lookback.incidents(view.watched, now_s)
        shown = mttr_shown(of, now_s)
        level = maturity_shown(of, self._lookback.operated(now_s), slos_shown(view).slos, now_s)
        places = [one for one in shown.endpoints if not asked.endpoint or one.endpoint in asked.endpoint]
        rows = [row for one in (shown.total, *places) for row in _times(one, level)]
        return Documented(rows=rows, at_s=seen_at_s(view))

    def _stages(self, view: EngineView, asked: PanelAsked) -> Documented:
        one = judged_of(view, asked) or _worst(view)
        meant = span(asked.since or "now-1h", asked.until, None, self._now_s() * 1000, is_quantile=True)
        found = () if one is None else self._lookback.stages(one, meant.since_ms, meant.until_ms)
        return Documented(rows=_shares(found), at_s=seen_at_s(view))

    def _notices(self, view: EngineView, asked: PanelAsked) -> Documented:
        try:
            said = self._said()
        except LedgerError:
            return Documented(at_s=seen_at_s(view), is_blind=True)
        wanted = int(asked.alert or "0", 16)
        rows = [
            _notice(one, said.waits_s, self._now_s()) for one in said.items if wanted in (0, one.notice.fingerprint)
        ]
        standing = [one for one in view.standing if wanted in (0, one.fingerprint)]
        again = [_told_again(one, len(standing)) for one in said.told_again] if standing else []
        return Documented(rows=[*again, *rows], at_s=seen_at_s(view))


_PROJECTED = ("projected", "projected_low", "projected_high")


def _out(agreed: Sequence[Agreed], since_s: int, until_s: int) -> tuple[Segment, ...]:
    return segments(one for each in agreed for one in spans(each, since_s, until_s))


def _worst(view: EngineView) -> Judged | None:
    """Return the objective with the least budget left."""
    shown = slos_shown(view).slos
    return found_in(view, shown[0].name, shown[0].group) if shown else None


def _step_s(span_s: int) -> int:
    """Return the shortest step, of whole buckets, of which there are not too many."""
    return max(1, -(-span_s // (2 * POINTS * BUCKET_S))) * BUCKET_S


def _ahead(objective: Objective, found: Evaluated, of: Spent, began_s: int) -> list[Row]:
    """Return what will be left: to the end of a calendar's period, else as far as a quarter of what is known."""
    at_s, now = found.as_of_s, found.left.remaining
    rates = [rate for window_s in _BAND_S if (rate := found.burn.get(window_s)) is not None]
    if found.known.is_blind or is_sliced(objective) or not rates or now is None or now <= 0:
        return []
    end_s = at_s + (at_s - began_s) // 4
    if not isinstance(objective.window, Rolling):
        end_s = civil(objective.window, at_s).end_s
    n, _ = of.over(began_s, at_s)
    expected = found.facts.expected
    per_s = float(n) / max(BUCKET_S, at_s - began_s) if expected is None else expected / objective.period_s
    step_s = max(1, -(-(end_s - at_s) // (AHEAD_POINTS * of.step_s))) * of.step_s
    times = [*range(at_s + step_s, end_s, step_s), end_s] if end_s > at_s else []
    lines = [
        [
            ahead(
                of, period_start_s(objective, t_s - 1), t_s, objective.target, Pace(at_s=at_s, per_s=per_s, burn=rate)
            )
            for t_s in times
        ]
        for rate in (rates[0], max(rates), min(rates))
    ]
    shown = zip(times, until_spent(lines[0]), lines[1], lines[2], strict=True)
    return [
        {"t": t_s, "projected": middle, "projected_low": max(0.0, low or 0.0), "projected_high": max(0.0, high or 0.0)}
        for t_s, middle, low, high in shown
        if middle is not None
    ]


def _times(of: FiguresShown, level: MaturityShown) -> list[Row]:
    kinds = {"MTTD": of.mttd, "MTTA": of.mtta, "MTTR": of.mttr}
    return [
        {
            "time": name,
            "endpoint": of.endpoint or _ALL,
            **{stat: _seconds(one, stat) for stat in ("median", "mean", "p90")},
            "incidents": one.n,
            "note": _note(one, level if name == "MTTR" and not of.endpoint else None),
        }
        for name, one in kinds.items()
    ]


def _seconds(one: TimesShown, stat: str) -> float | None:
    minutes: float | None = getattr(one, f"{stat}_min")
    return None if minutes is None or not one.is_sufficient else minutes * 60


def _note(one: TimesShown, level: MaturityShown | None) -> str:
    if not one.is_sufficient:
        return f"insufficient: {one.n} of {ENOUGH} incidents"
    if level is None or level.level is None:
        return ""
    return f"level {level.level} ({level.name}), limited by {', '.join(level.limited_by)}"


def _shares(found: Sequence[Times]) -> list[Row]:
    """Return each stage's share of the time of flows, and of the time beyond the budgets of all stages."""
    whole_s = sum((one.mean_s or 0.0) * one.done for one in found if not one.name)
    over_s = sum(one.over_s for one in found if one.name)
    return [
        {
            "stage": one.name,
            "share_of_time": (one.mean_s or 0.0) * one.done / whole_s if whole_s else None,
            "share_of_over": one.over_s / over_s if over_s else None,
            **{name: getattr(one, f"{name}_s") for name in ("budget", "p50", "p95", "p99")},
            "flows": one.n,
        }
        for one in sorted(found, key=lambda one: -one.over_s)
        if one.name
    ]


def _notice(one: Item, waits_s: Mapping[str, float], now_s: int) -> Row:
    notice = one.notice
    is_open = one.state in {Step.WAITING, Step.INTENT}
    return {
        "receiver": one.channel,
        "at": one.made_at_s,
        "alert": notice.labels.get("alertname", ""),
        "said": f"{notice.status}, told again" if notice.n else notice.status.value,
        "status": one.state.value,
        "attempts": one.attempts,
        "next_try": now_s + round(waits_s.get(one.channel, 0.0)) if is_open else None,
        "why": one.why,
    }


def _told_again(one: Target, standing_n: int) -> Row:
    return {
        "receiver": f"{one.channel} {one.instance}" if one.instance else one.channel,
        "said": f"{standing_n} that stand, every minute",
        "status": "failing" if one.failing_since_s is not None else "sent" if one.sent_n else "waiting",
        "attempts": one.sent_n + one.failed_n,
        "why": one.why,
    }
