"""Knows how panels and their answers look from outside; refuses to know who asks and who answers.

Source: spec/ui.md 3 (data contract), 4 (states).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from slo.panel_cells import Cell, Failing, Refused, Uncertain
from telemetry.panel import Column, Panel


class PanelState(StrEnum):
    """How a panel stands."""

    OK = "ok"
    NO_TRAFFIC = "no_traffic"
    """Somebody looks, and nothing came."""
    BLIND = "blind"
    """Nobody looks."""
    LOCKED = "locked"
    """What it shows is not measured without a switch."""
    STALE = "stale"
    """What it shows is older than it should be."""
    PARTIAL = "partial"
    """Not everybody is heard."""
    REFUSED = "refused"
    """What is asked for is not kept, or no number of it may be said."""
    ERROR = "error"
    """The store did not answer the question."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnShown:
    """One column of an answer.

    Attributes:
        name: Its name.
        unit: Unit of its numbers.
        type: What its cells are, where they are no numbers.
        role: What it is to its row, where it is no value.
        ok_only: Whether it leaves failures out.
        percentile: Share of requests at or below it, where it is a percentile.
    """

    name: str
    unit: str | None = None
    type: str = "number"
    role: str = "value"
    ok_only: bool = False
    percentile: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Unlock:
    """What fills a panel that is locked.

    Attributes:
        engine: For which engine; `*` for any.
        flag: The switch, as it is typed.
    """

    engine: str
    flag: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Blind:
    """A time in which nobody looked.

    Attributes:
        start: Its start, unix seconds.
        end: Its end.
    """

    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjusted:
    """A time that counts less, as people agreed.

    Attributes:
        start: Its start, unix seconds.
        end: Its end.
        percent: How much of it is taken out.
    """

    start: int
    end: int
    percent: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Why a panel could not be answered.

    Attributes:
        title: In a few words.
        detail: In a sentence: what to widen, or what the store said.
    """

    title: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """How an answer was measured.

    Attributes:
        ttft_source: By whom first tokens were timed; None if no time is told, or more than one did.
        traffic: Whose requests.
        method: `exact`, `bucketed`, `mixed`, `estimated` or `fallback`.
        population: `all` counts failures as infinite, `ok_only` leaves them out.
        table: What was read.
        coverage: Share of the expected collectors that is heard; None if none is expected.
        silent: The others.
        watermark_unix_s: Everything that ended before is stored; None if nobody says so.
        age_s: How old that is.
        excluded: Requests of other traffic in the same time, by whose they are.
        ignored: Filters that the panel's rows do not know.
        refused: What is not said.
        uncertain: What is not certified.
        inf: Percentiles that land on a failed request.
    """

    ttft_source: str | None = None
    traffic: str
    method: str
    population: str
    table: str
    coverage: float | None = None
    silent: tuple[str, ...] = ()
    watermark_unix_s: float | None = None
    age_s: float | None = None
    excluded: Mapping[str, int] = field(default_factory=dict[str, int])
    ignored: tuple[str, ...] = ()
    refused: tuple[Refused, ...] = ()
    uncertain: tuple[Uncertain, ...] = ()
    inf: tuple[Failing, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a panel answers.

    Attributes:
        panel: Its id.
        unit: Unit of most of its numbers.
        since: Start of what is told, RFC 3339.
        until: Its end, excluded.
        step_s: Step of a series; None if it is none.
        tick_s: How often it changes while somebody looks.
        columns: Of the rows.
        rows: Cells.
        n: Requests of each row; None where a row is not of requests.
        state: How it stands.
        unlock: What fills it, where it is locked.
        blind: When nobody looked, oldest first.
        adjusted: When requests count less, oldest first.
        error: Why it could not be answered.
        sql: The statement; empty where the engine itself answers.
        parameters: Its values.
        provenance: How it was measured.
    """

    panel: str
    unit: str
    since: Annotated[str, Field(serialization_alias="from")]
    until: Annotated[str, Field(serialization_alias="to")]
    step_s: int | None
    tick_s: int
    columns: list[ColumnShown]
    rows: list[list[Cell]]
    n: list[int | None]
    state: PanelState
    unlock: Unlock | None = None
    blind: tuple[Blind, ...] = ()
    adjusted: tuple[Adjusted, ...] = ()
    error: Fault | None = None
    sql: str = ""
    parameters: Mapping[str, object] = field(default_factory=dict[str, object])
    provenance: Provenance


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelShown:
    """What a panel is.

    Attributes:
        id: Its name.
        title: In a few words.
        page: Where it stands.
        question: What it answers.
        unit: Unit of most of its numbers.
        kind: How it is drawn.
        columns: Of its answer; bounds of percentiles are told only where they are no points.
        meaning: What a reader must know.
        action: What to do.
        series: Whether it has a row for each step.
        live: Whether it can be followed.
        filters: Parameters that narrow its rows down; none of what the engine itself tells.
        promql: The same from our metrics, with `${endpoint}` and `${model}`; empty where no metric has it.
        unlock: What it needs, by engine.
        links: Its answers.
    """

    id: str
    title: str
    page: str
    question: str
    unit: str
    kind: str
    columns: list[ColumnShown]
    meaning: str
    action: str
    series: bool
    live: bool = True
    filters: tuple[str, ...]
    promql: str
    unlock: Mapping[str, str]
    links: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelsShown:
    """Every panel.

    Attributes:
        panels: In the order of the pages.
    """

    panels: list[PanelShown]


FORMS = ("json", "csv", "sql")
"""What a panel answers in."""


def panels_shown(
    panels: Sequence[Panel], filters: Callable[[Panel], tuple[str, ...]], grafana_url: str = ""
) -> PanelsShown:
    """Return every panel as it is listed.

    Args:
        panels: The list.
        filters: Returns the parameters that narrow a panel's rows down.
        grafana_url: Where Grafana is that has our dashboards; empty if there is none.
    """
    return PanelsShown(panels=[_panel(one, filters(one), grafana_url) for one in panels])


def told(answer: Answer) -> dict[str, object]:
    """Return an answer by the names that it travels with: `from` and `to` are no names in Python."""
    return {_TRAVELS_AS.get(one.name, one.name): getattr(answer, one.name) for one in fields(answer)}


_TRAVELS_AS = {"since": "from", "until": "to"}


def columns_shown(columns: Sequence[Column]) -> list[ColumnShown]:
    """Return columns as they are told."""
    return [
        ColumnShown(
            name=one.name,
            unit=None if one.unit is None else one.unit.value,
            type=one.type.value,
            role=one.role.value,
            ok_only=one.is_ok_only,
            percentile=None if one.ppm is None else one.ppm / 1e6,
        )
        for one in columns
    ]


def _panel(one: Panel, filters: tuple[str, ...], grafana_url: str) -> PanelShown:
    links = {form: f"panels/{one.id}.{form}" for form in FORMS if form != "sql" or one.ask is not None}
    if grafana_url and one.ask is not None:
        links["grafana"] = f"{grafana_url.rstrip('/')}/d/inferometer-{one.page.value}"
    return PanelShown(
        id=one.id,
        title=one.title,
        page=one.page.value,
        question=one.question,
        unit=one.unit.value,
        kind=one.kind.value,
        columns=columns_shown(one.columns),
        meaning=one.meaning,
        action=one.action,
        series=one.has_steps,
        filters=filters,
        promql=one.promql,
        unlock=one.unlock,
        links=links,
    )
