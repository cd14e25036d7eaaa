"""Knows how a panel is answered, from the store or from what the engine saw last; refuses to know HTTP.

Every statement is the panel's own, with its values bound; a store's complaint is an answer too, in words. The store is
asked as a reader, who may change nothing, and no statement runs longer than `QUERY_S_MAX`.

Source: spec/ui.md 3 (data contract), 4 (states), 2 (hard stop 5 s).
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

from slo.alertmanager_body import rfc3339
from slo.panel_asked import DIMS, PanelAsked
from slo.panel_cells import Cells, Row, cells
from slo.panel_documents import Documented
from slo.panel_facts import Facts
from slo.panel_shown import Answer, Fault, PanelState, Provenance, columns_shown
from slo.panel_state import Seen, blind_spans, filled, is_stale, state, unlock
from slo.panel_thin import thinned
from slo.panel_window import SPAN_S_MAX, STEPS_MAX, Span, coarser, span, stored, whole_steps
from slo.telemetry_state import STALE_S
from telemetry import queries
from telemetry.errors import StoreBusyError, StoreDeniedError, StoreError, StoreUnreachableError
from telemetry.panel import OF_REQUESTS, Document, Kind, Panel, Reads
from telemetry.queries import panel_facts
from telemetry.queries.about import About
from telemetry.queries.asked import Asked, Dim, Pick, Source
from telemetry.queries.question import Question
from telemetry.schema.pipeline import HEARTBEATS
from telemetry.store import Store

QUERY_S_MAX = 5.0
"""Time after which a statement is stopped."""
POINTS_MAX = 1_500
"""Points of one series; beyond it those are kept that show its shape."""
ROWS_MAX = 10_000
"""Rows of any other answer; a heat map of more cells is told in longer steps."""
HEAT_STEPS_MAX = 300
"""Steps of a heat map: more than that nobody can tell apart."""
Documents = Callable[[Document, PanelAsked], Documented]
"""Returns what the engine knows."""

_USER = "user"
"""Traffic of which collectors count arrivals."""
_TABLE = re.compile(r"\binferometer\.(\w+)")
_UNANSWERED = (StoreUnreachableError, StoreBusyError, StoreDeniedError)
"""Complaints that are not about the question."""
_HEARD_KEPT_MS = (HEARTBEATS.kept_days or SPAN_S_MAX // 86_400) * 86_400_000
"""Age from which on nobody knows who was heard."""
_SECONDS_KEPT_MS = 3 * 86_400_000
"""Age from which on a roll-up of seconds may be gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """A panel and the time that is meant, before the store is asked for it.

    Attributes:
        panel: The panel.
        asked: What was asked.
        span: The time; of a series whole steps.
        seen: Who is heard; the rest of what is known beside the rows comes with the answer.
        now_ms: When it was asked, unix milliseconds.
        missing_s: How much of its end is not stored yet, as of now; below 0 if all of it is, None if nobody says so.
        about: The objective or alert that is meant; None for whatever the filters leave.
    """

    panel: Panel
    asked: PanelAsked
    span: Span
    seen: Seen
    now_ms: int
    missing_s: float | None = None
    about: About | None = None


class PanelDesk:
    """Answers panels; every method may be called from any thread.

    Args:
        panels: The list.
        store: The store, as who may read.
        documents: Returns what the engine knows.
        now_ms: Reads the wall clock, unix milliseconds.
        facts: Answers of a moment about who looks; None asks each time.
        about: Returns which objective or alert is meant, or raises `ValueError`.
    """

    def __init__(
        self,
        panels: Sequence[Panel],
        store: Store,
        documents: Documents,
        now_ms: Callable[[], int],
        facts: Facts | None = None,
        about: Callable[[PanelAsked], About | None] = lambda _: None,
    ) -> None:
        self.panels = tuple(panels)
        self._by_id = {one.id: one for one in panels}
        self._store, self._documents, self._now_ms = store, documents, now_ms
        self._facts_of, self._about = facts or Facts(store, 0.0, lambda: 0.0), about

    def find(self, panel_id: str) -> Panel | None:
        """Return a panel by its id; None if there is none."""
        return self._by_id.get(panel_id)

    def rows(self, question: Question) -> Sequence[Row]:
        """Return what the store answers to a question that is no panel's.

        Raises:
            StoreError: The store did not answer.
        """
        return self._store.query(_bounded(question))

    def aim(self, panel: Panel, asked: PanelAsked) -> Aim:
        """Return which time is meant: a series ends where everything is stored.

        Raises:
            ValueError: A time is none, or has too many steps; or there is no such objective or alert.
            StoreError: The store does not answer at all.
        """
        now_ms = self._now_ms()
        is_quantile = panel.reads is not Reads.REQUESTS  # samples too come every few seconds
        # Panels that are asked for in one second are of one time, and what stands beside them is the same.
        second_ms = now_ms // 1000 * 1000
        steps_max = HEAT_STEPS_MAX if panel.kind is Kind.HEATMAP else STEPS_MAX
        meant = span(asked.since, asked.until, asked.step, second_ms, is_quantile=is_quantile, steps_max=steps_max)
        about = self._about(asked)
        if panel.document is not None:
            return Aim(panel=panel, asked=asked, span=meant, seen=Seen(), now_ms=now_ms, about=about)
        seen = self._heard(min(meant.until_ms, second_ms), asked, now_ms)
        # What was not stored at the end of a past time is by now: the present says how far that goes.
        mark_ms = (seen if meant.until_ms >= second_ms else self._heard(second_ms, asked, now_ms)).watermark_ms
        missing_s = None if mark_ms is None else (min(meant.until_ms, now_ms) - mark_ms) / 1000
        if panel.has_steps:
            meant = whole_steps(stored(meant, mark_ms) if panel.reads in OF_REQUESTS else meant)
        return Aim(panel=panel, asked=asked, span=meant, seen=seen, now_ms=now_ms, missing_s=missing_s, about=about)

    def answer(self, aim: Aim) -> Answer:
        """Return what a panel answers.

        Raises:
            StoreError: The store does not answer at all; what is wrong with one question is told in its answer.
        """
        ask, question = aim.panel.ask, _NO_QUESTION
        try:
            if aim.panel.document is not None:
                return self._documented(aim, aim.panel.document)
            assert ask is not None  # noqa: S101 -- a panel has one or the other
            asked = _asked(aim)
            pick = self._pick(aim, asked)
            question = _bounded(ask(asked, pick))
            rows = self._beside(aim, self._store.query(question))
            if aim.panel.kind is Kind.HEATMAP and len(rows) > ROWS_MAX:
                if longer := coarser(aim.span, len(rows) / ROWS_MAX):
                    return self.answer(replace(aim, span=longer))
                aim, rows = _newest(aim, rows)
            return self._told(aim, pick, question, rows, self._facts(aim, asked))
        except queries.NoTableError as error:
            return _failed(aim, PanelState.REFUSED, Fault(title="not kept", detail=str(error)), question)
        except _UNANSWERED:
            raise
        except StoreError as error:
            fault = Fault(title="the store refused the question", detail=" ".join(str(error).split())[:300])
            return _failed(aim, PanelState.ERROR, fault, question)

    def _beside(self, aim: Aim, rows: Sequence[Row]) -> Sequence[Row]:
        """Return rows with what the engine knows of them, the ones with the least budget left first."""
        if aim.panel.beside is None:
            return rows
        key = aim.panel.columns[0].name
        known = {row[key]: row for row in self._documents(aim.panel.beside, aim.asked).rows}
        whole = [{**row, **known.get(row[key], {})} for row in rows]
        return sorted(whole, key=_budget)

    def _heard(self, at_ms: int, asked: PanelAsked, now_ms: int) -> Seen:
        if at_ms <= now_ms - _HEARD_KEPT_MS:
            return Seen(is_kept=False)
        rows = self._facts_of.ask(queries.coverage(at_ms))
        ours = [
            row
            for row in rows
            if (not asked.endpoint or row["endpoint"] in asked.endpoint)
            and (not asked.model or row["model"] in asked.model or row["model"] == "")
        ]
        marks = [int(str(row["watermark_unix_ms"])) for row in ours if row["watermark_unix_ms"] is not None]
        silent = {str(name) for row in ours for name in _listed(row["silent"])}
        return Seen(
            expected=sum(int(str(row["n"])) for row in ours),
            fresh=sum(int(str(row["n_fresh"])) for row in ours),
            silent=tuple(sorted(silent)),
            watermark_ms=min(marks, default=None),
        )

    def _pick(self, aim: Aim, asked: Asked) -> Pick:
        match aim.panel.reads:
            case Reads.QUANTILES:
                since_ms, until_ms = asked.since_ms, asked.until_ms
                counted = self._facts_of.ask(queries.row_count(since_ms, until_ms, traffic=asked.traffic))
                return queries.pick(asked, now_ms=aim.now_ms, rows=int(str(counted[0]["n"])))
            case Reads.REQUESTS:
                return queries.pick(asked, now_ms=aim.now_ms)
            case _:
                return Pick(source=Source.RAW, exact=True, since_ms=asked.since_ms, until_ms=asked.until_ms)

    def _facts(self, aim: Aim, asked: Asked) -> Seen:
        """Return what is known beside the rows."""
        one, seen = aim.span, aim.seen
        endpoints = asked.where.get(Dim.ENDPOINT, ())
        if aim.panel.reads in OF_REQUESTS:
            whole = replace(asked, by=(), step_s=None)
            counted = queries.pick(replace(whole, by=(Dim.TRAFFIC,)), now_ms=aim.now_ms)
            found = self._facts_of.ask(panel_facts.traffics(whole, counted))
            seen = replace(
                seen,
                requests={str(row["traffic"]): int(str(row["n"])) for row in found},
                sources=tuple(
                    str(name) for row in found if row["traffic"] == asked.traffic for name in _listed(row["sources"])
                ),
            )
        if aim.panel.has_steps:
            seen = self._looked(aim, endpoints, seen)
        if aim.panel.unlock:
            engines = self._facts_of.ask(panel_facts.engines(min(one.until_ms, aim.now_ms), endpoints))
            # An engine that showed its metrics within the day lacks no switch for them, whatever is missing now.
            lacking = [row for row in engines if aim.panel.reads is not Reads.ENGINE or not int(str(row["n_up"]))]
            seen = replace(seen, engines=tuple(str(row["engine"]) for row in lacking))
        return seen

    def _looked(self, aim: Aim, endpoints: tuple[str, ...], seen: Seen) -> Seen:
        """Return when nobody looked, as far back as that is known."""
        one, step_s = aim.span, max(aim.span.step_s, panel_facts.LOOKS_S_MIN)
        step_ms = step_s * 1000
        kept_ms = max(one.since_ms, -(-(aim.now_ms - _HEARD_KEPT_MS) // step_ms) * step_ms)
        if kept_ms >= one.until_ms:
            return replace(seen, unknown_until_s=one.until_ms // 1000)
        looked = self._facts_of.ask(panel_facts.looks(kept_ms, one.until_ms, step_s, endpoints))
        heard_s = [int(str(row["t_unix_s"])) for row in looked]
        until_s = min(one.until_ms, aim.now_ms) // 1000
        blind = blind_spans(heard_s, kept_ms // 1000, until_s, step_s)
        return replace(seen, blind=blind, unknown_until_s=kept_ms // 1000 if kept_ms > one.since_ms else None)

    def _told(self, aim: Aim, pick: Pick, question: Question, rows: Sequence[Row], seen: Seen) -> Answer:
        panel, one = aim.panel, aim.span
        whole = filled(panel, rows, one, seen)
        is_line = panel.has_steps and panel.kind is not Kind.HEATMAP
        kept = thinned(panel, whole, POINTS_MAX) if is_line else whole[:ROWS_MAX]
        told = cells(panel.columns, kept, is_exact=_is_exact(panel, pick))
        age_s = None if seen.watermark_ms is None else max(0.0, (aim.now_ms - seen.watermark_ms) / 1000)
        step_s = one.step_s if panel.has_steps else one.tick_s
        stands = state(panel, rows, told, seen, traffic=aim.asked.traffic, stale=is_stale(aim.missing_s, step_s))
        found = _answer(aim, told, stands, question, _provenance(aim, told, seen, pick, question, age_s))
        return replace(
            found,
            blind=seen.blind,
            unlock=unlock(panel, seen.engines) if stands is PanelState.LOCKED else None,
        )

    def _documented(self, aim: Aim, document: Document) -> Answer:
        known = self._documents(document, aim.asked)
        told = cells(aim.panel.columns, list(known.rows)[:ROWS_MAX], is_exact=True)
        age_s = None if known.at_s is None else aim.now_ms / 1000 - known.at_s
        is_old = age_s is not None and age_s > STALE_S
        provenance = Provenance(
            traffic=aim.asked.traffic,
            method="exact",
            population=aim.panel.population,
            table=f"engine:{document}",
            watermark_unix_s=known.at_s,
            # Instants are further apart than steps are, and late by what is waited for: no age until that is too much.
            age_s=age_s if is_old else None,
        )
        stands = PanelState.STALE if is_old else PanelState.OK
        found = _answer(aim, told, PanelState.BLIND if known.is_blind else stands, _NO_QUESTION, provenance)
        since, until = map(rfc3339, known.span_s) if known.span_s else (found.since, found.until)
        step_s = known.step_s or found.step_s
        return replace(found, since=since, until=until, blind=known.blind, adjusted=known.adjusted, step_s=step_s)


_NO_QUESTION = Question(sql="")


def _newest(aim: Aim, rows: Sequence[Row]) -> tuple[Aim, Sequence[Row]]:
    """Return the newest whole steps of too many cells, and the time that they are of."""
    cut_s = int(str(rows[-ROWS_MAX - 1]["t"]))
    kept = [row for row in rows[-ROWS_MAX:] if int(str(row["t"])) > cut_s]
    return replace(aim, span=replace(aim.span, since_ms=(cut_s + aim.span.step_s) * 1000)), kept


def _budget(row: Row) -> float:
    left = row.get("budget_left")
    return left if isinstance(left, float | int) else float("inf")


def _is_exact(panel: Panel, pick: Pick) -> bool:
    return pick.exact or panel.reads is not Reads.QUANTILES


def _filters(aim: Aim) -> tuple[Mapping[Dim, tuple[str, ...]], tuple[str, ...]]:
    """Return the filters that the panel's rows know, and the names of those that some of its columns do not."""
    known = DIMS[aim.panel.reads] if aim.panel.reads is not None else frozenset[Dim]()
    asked = aim.asked.filters()
    # What collectors count is left out of an answer whose filters they do not know.
    told = known & DIMS[Reads.HEARTBEATS] if aim.panel.heard else known
    ignored = [dim.value for dim in asked if dim not in told]
    if aim.panel.heard and aim.asked.traffic != _USER:
        ignored.append(Dim.TRAFFIC.value)
    meant = {dim: (value,) for dim, value in aim.about.where.items()} if aim.about else {}
    return {dim: values for dim, values in {**asked, **meant}.items() if dim in known}, tuple(ignored)


def _asked(aim: Aim) -> Asked:
    one = aim.span
    since_ms, until_ms = one.since_ms, one.until_ms
    if not aim.panel.has_steps and aim.panel.reads is Reads.REQUESTS:
        # A roll-up answers whole steps only: the finest of those that are kept.
        grain_ms = 1_000 if aim.now_ms - since_ms < _SECONDS_KEPT_MS else 60_000
        since_ms, until_ms = since_ms // grain_ms * grain_ms, -(-until_ms // grain_ms) * grain_ms
    return Asked(
        since_ms=since_ms,
        until_ms=until_ms,
        where=_filters(aim)[0],
        traffic=aim.asked.traffic,
        step_s=one.step_s if aim.panel.has_steps else None,
        about=aim.about,
    )


def _bounded(question: Question) -> Question:
    return replace(question, seconds_max=min(question.seconds_max, QUERY_S_MAX))


def _listed(value: object) -> Sequence[object]:
    return cast("Sequence[object]", value)


def _tables(question: Question) -> str:
    return ", ".join(dict.fromkeys(_TABLE.findall(question.sql)))


def _provenance(aim: Aim, told: Cells, seen: Seen, pick: Pick, question: Question, age_s: float | None) -> Provenance:
    panel, traffic = aim.panel, aim.asked.traffic
    return Provenance(
        ttft_source=seen.sources[0] if len(seen.sources) == 1 else None,
        traffic=traffic,
        method="exact" if _is_exact(panel, pick) else "bucketed",
        population=panel.population,
        table=pick.source.value if panel.reads in OF_REQUESTS else _tables(question),
        coverage=seen.coverage,
        silent=seen.silent,
        watermark_unix_s=None if seen.watermark_ms is None else seen.watermark_ms / 1000,
        age_s=age_s,
        excluded={name: n for name, n in (seen.requests or {}).items() if name != traffic},
        ignored=_filters(aim)[1],
        refused=told.refused,
        uncertain=told.uncertain,
        inf=told.inf,
    )


def _answer(aim: Aim, told: Cells, stands: PanelState, question: Question, provenance: Provenance) -> Answer:
    panel, one = aim.panel, aim.span
    return Answer(
        panel=panel.id,
        unit=panel.unit.value,
        since=rfc3339(one.since_ms // 1000),
        until=rfc3339(one.until_ms // 1000),
        step_s=one.step_s if panel.has_steps else None,
        tick_s=one.tick_s,
        columns=columns_shown(told.columns),
        rows=told.rows,
        n=told.n,
        state=stands,
        sql=question.sql,
        parameters=question.parameters,
        provenance=provenance,
    )


def _failed(aim: Aim, stands: PanelState, fault: Fault, question: Question) -> Answer:
    told = cells(aim.panel.columns, (), is_exact=False)
    provenance = Provenance(
        traffic=aim.asked.traffic,
        method="exact",
        population=aim.panel.population,
        table="",
        coverage=aim.seen.coverage,
        silent=aim.seen.silent,
    )
    return replace(_answer(aim, told, stands, question, provenance), error=fault)
