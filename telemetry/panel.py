"""Knows what a panel is: a question, the columns of its answer, how it is asked, what to do about it; refuses to ask.

One definition feeds the web UI, Grafana, `.json`, `.csv` and the tests. A panel is answered either by the store, then
`ask` returns the statement, or by what the engine saw last, then `document` names it. The statement returns the columns
of the panel by their names and beside them, for each percentile, the requests that it is taken over.

Source: spec/ui.md, laws 1 to 5, 3 (data contract), 4 (quantile refusal), 5 (the list).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from telemetry.queries.asked import Asked, Pick
from telemetry.queries.question import Question

COLUMNS_MAX = 40
"""Columns of a panel."""
N = "n"
"""Column of a statement that says how many requests a row is of; it travels beside the rows."""


class Kind(StrEnum):
    """How a panel is drawn; all of them have a table too."""

    STAT = "stat"
    """One row: a number for each column."""
    LINE = "line"
    """Columns over time."""
    STACKED = "stacked"
    """Columns over time, on top of each other."""
    BAR = "bar"
    """Columns for each row, one beside the other."""
    HEATMAP = "heatmap"
    """Cells: `t`, `low`, `high`, `count`."""
    HEARTBEAT = "heartbeat"
    """Slots of time for each row."""
    TABLE = "table"


class Page(StrEnum):
    """Pages of the web UI."""

    FLEET = "fleet"
    ENDPOINT = "endpoint"
    REQUESTS = "requests"
    SLO = "slo"
    ALERT = "alert"
    LOADTESTS = "loadtests"
    HINTS = "hints"
    TELEMETRY = "telemetry"


class Unit(StrEnum):
    """Units of numbers."""

    SECONDS = "s"
    PER_TOKEN = "s/token"
    RATIO = "ratio"
    PER_S = "1/s"
    PER_H = "1/h"
    TOKENS_PER_S = "tok/s"
    TOKENS = "tokens"
    TOKENS_PER_EVENT = "tok/event"
    REQUESTS = "requests"
    RECORDS = "records"
    REPLICAS = "replicas"
    COUNT = "count"
    BYTES = "bytes"
    WATTS = "W"
    MEGAHERTZ = "MHz"
    BURN = "x"
    """Times the rate that spends the budget in exactly its period."""


class Role(StrEnum):
    """What a column is to its row."""

    TIME = "time"
    """Start of the step, unix seconds."""
    KEY = "key"
    """Names the row, or the series where there is a time."""
    VALUE = "value"
    DETAIL = "detail"
    """Belongs to the row and is not drawn."""
    LOW = "low"
    """Least that the value named before may be."""
    HIGH = "high"
    """Most that it may be."""
    LEVEL = "level"
    """The same in every row that has it: a line across the chart."""


class Type(StrEnum):
    """What the cells of a column are."""

    UNIX_S = "unix_s"
    NUMBER = "number"
    TEXT = "text"
    NUMBERS = "numbers"
    """A list of numbers: the slots of a heartbeat."""


class Reads(StrEnum):
    """Which rows the store answers from, and so which table and step fit."""

    REQUESTS = "requests"
    """Counts of requests: roll-ups."""
    QUANTILES = "quantiles"
    """Percentiles of requests: raw rows while they are few, else histograms of roll-ups."""
    ROWS = "rows"
    """Requests one by one."""
    ENGINE = "engine"
    """Scrapes of engines."""
    GPU = "gpu"
    """Samples of GPUs."""
    HEARTBEATS = "heartbeats"
    """What the collectors say of themselves."""
    LOADS = "loads"
    """Load tests."""
    HINTS = "hints"
    """Scaling hints and what became of them."""
    COUNTS = "counts"
    """Counts of objectives."""


OF_REQUESTS = frozenset({Reads.REQUESTS, Reads.QUANTILES, Reads.ROWS})
"""What is read of requests, so that no request means no traffic."""


class Document(StrEnum):
    """What the engine knows and the store need not be asked for."""

    NUMBERS = "numbers"
    """The objectives in three numbers."""
    SLOS = "slos"
    """Objectives and their budgets."""
    BURN = "burn"
    """Burn rates by objective and rule."""
    RULES = "rules"
    """What each alert rule can see, and why it is silent."""
    ALERTS = "alerts"
    """Alerts that are not at rest."""
    BUDGETS = "budgets"
    """Least budget left by endpoint."""
    BUDGET = "budget"
    """What was, is and may be left of the budget of one objective."""
    INCIDENTS = "incidents"
    """How fast incidents were found and ended."""
    STAGES = "stages"
    """Where the time of flows goes."""
    NOTICES = "notices"
    """What became of the notices of alerts."""
    PROPOSALS = "proposals"
    """Schedules that the past of scaling targets suggests."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of an answer.

    Attributes:
        name: Its name, in the statement too.
        unit: Unit of its numbers; None of texts and times.
        type: What its cells are.
        role: What it is to its row.
        ppm: The percentile that it holds, parts per million; None if it is none.
        of: Column of the statement with the requests that the percentile is taken over; empty for `n`.
        largest: Column of the statement with the largest value of those; empty if there is none.
        is_ok_only: Whether it leaves failures out, and so is drawn dashed.
    """

    name: str
    unit: Unit | None = None
    type: Type = Type.NUMBER
    role: Role = Role.VALUE
    ppm: int | None = None
    of: str = ""
    largest: str = ""
    is_ok_only: bool = False


Ask = Callable[[Asked, Pick], Question]
"""Returns the statement of a panel for a window, and from which table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One panel.

    Attributes:
        id: `<page>.<name>`.
        title: In a few words.
        page: Where it stands.
        question: What it answers.
        unit: Unit of most of its numbers.
        kind: How it is drawn.
        columns: Of its answer, in order.
        meaning: What a reader must know of the numbers.
        action: What to do about them.
        reads: Which rows the store answers from; None of a document.
        ask: How the store is asked; None of a document.
        document: What the engine knows; None of a statement.
        beside: What the engine knows of the rows of a statement, by their first column.
        has_steps: Whether it has a row for each step of time.
        unlock: Engine to the exact switch without which it is empty; `*` for any other engine.
        heard: Columns that collectors count; they know endpoints only, so under any other filter these are unknown.
        proof: Columns of which one must hold a value, or the panel is locked; empty: no row at all.
        population: `all` counts failures as +infinity, `ok_only` leaves them out.
        promql: The same from our metrics, an expression for each line; empty where no metric has it.
    """

    id: str
    title: str
    page: Page
    question: str
    unit: Unit
    kind: Kind
    columns: tuple[Column, ...]
    meaning: str
    action: str
    reads: Reads | None = None
    ask: Ask | None = None
    document: Document | None = None
    beside: Document | None = None
    has_steps: bool = False
    unlock: Mapping[str, str] = field(default_factory=dict[str, str])
    heard: tuple[str, ...] = ()
    proof: tuple[str, ...] = ()
    population: str = "all"
    promql: str = ""

    def __post_init__(self) -> None:
        """Refuse what cannot be answered or drawn.

        Raises:
            ValueError: It has no action or no single way to be answered, two columns of a name, or too many.
        """
        if not (self.meaning and self.action and self.question):
            raise ValueError(f"panel {self.id}: a panel that cannot change a decision is not built")
        if (self.ask is None) == (self.document is None) or (self.ask is None) != (self.reads is None):
            raise ValueError(f"panel {self.id}: it is answered either by the store or by a document")
        names = [column.name for column in self.columns]
        if len(set(names)) != len(names) or not 0 < len(names) <= COLUMNS_MAX:
            raise ValueError(f"panel {self.id}: {len(names)} columns, each named once; allowed are 1 to {COLUMNS_MAX}")
