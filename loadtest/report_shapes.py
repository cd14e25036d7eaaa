"""Knows what a report's page is made of: charts, tables, notes; refuses to know what they show, and to draw.

The page travels as JSON to the script that draws it (`loadtest/static`). A chart never stands alone: its panel says in
a sentence what it shows, and has the same numbers as a table.

Source: spec/loadtest.md 18 (plots); spec/ui.md 6 (a figure with a sentence and a table view).
"""

from enum import StrEnum

import msgspec


class Unit(StrEnum):
    """How numbers of an axis are written."""

    SECONDS = "s"
    RATIO = "ratio"
    COUNT = "count"
    PER_S = "per_s"
    CHANGE = "change"


class Tone(StrEnum):
    """How a series looks; outcome groups have a texture beside their colour."""

    A = "a"
    B = "b"
    C = "c"
    D = "d"
    MUTED = "muted"
    GOOD = "good"
    BAD = "bad"
    EXCLUDED = "excluded"
    THROTTLED = "throttled"
    UNREACHABLE = "unreachable"
    SLOW = "slow"
    BROKEN = "broken"
    FAULT = "fault"
    GAVE_UP = "gave-up"
    UNOBSERVED = "unobserved"
    CLIENT = "client"


class Mark(StrEnum):
    """How a series is drawn."""

    LINE = "line"
    STEP = "step"
    DOTS = "dots"
    POINTED = "pointed"


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """What all parts of a page have in common: immutable and named."""


class Axis(Part, frozen=True):
    """One axis: what it counts, how it is written, and whether equal ratios are equal distances."""

    label: str
    unit: Unit
    log: bool = False


class Series(Part, frozen=True):
    """Points in order of x.

    Attributes:
        name: For the legend.
        tone: How it looks.
        mark: How it is drawn.
        points: (x, y); y None is a gap.
        band: (x, low, high) around it.
        tops: x of values that are infinite: failures, drawn at the upper edge.
        dashed: Whether its line is.
    """

    name: str
    tone: Tone
    mark: Mark
    points: list[tuple[float, float | None]]
    band: list[tuple[float, float, float]] = []
    tops: list[float] = []
    dashed: bool = False


class Rule(Part, frozen=True):
    """A limit, drawn as a line across: `axis` is the one that it stands on."""

    axis: str
    at: float
    label: str


class Shade(Part, frozen=True):
    """A range of x that is unlike the rest; no end is infinite."""

    first: float
    until: float
    label: str


class Lines(Part, frozen=True, tag="lines", tag_field="kind"):
    """Series over two axes."""

    x: Axis
    y: Axis
    series: list[Series]
    rules: list[Rule] = []
    shades: list[Shade] = []


class Layer(Part, frozen=True):
    """One layer of a stack, a value for each bin; or of a bar, a value for each bar."""

    name: str
    tone: Tone
    values: list[float]


class Stack(Part, frozen=True, tag="stack", tag_field="kind"):
    """Layers over time: bin k reaches from `first + k * width` on."""

    x: Axis
    y: Axis
    first: float
    width: float
    layers: list[Layer]
    shades: list[Shade] = []


class Bars(Part, frozen=True, tag="bars", tag_field="kind"):
    """Bars that lie, each made of the layers."""

    x: Axis
    bars: list[str]
    layers: list[Layer]


class Lane(Part, frozen=True):
    """One request: where each of its stages begins and ends, on the x axis."""

    label: str
    stages: list[tuple[str, float, float]]
    ended: str
    tone: Tone


class Lanes(Part, frozen=True, tag="lanes", tag_field="kind"):
    """Requests below each other; `stages` is the legend."""

    x: Axis
    stages: list[tuple[str, Tone]]
    lanes: list[Lane]


class Interval(Part, frozen=True):
    """One estimate; an end that is not known is None, and then nothing is drawn but the words.

    Attributes:
        margin: What may still pass, on the same axis; None without one.
    """

    label: str
    low: float | None
    value: float | None
    high: float | None
    tone: Tone
    words: str
    margin: float | None = None


class Intervals(Part, frozen=True, tag="intervals", tag_field="kind"):
    """Estimates below each other."""

    x: Axis
    rows: list[Interval]
    rules: list[Rule] = []


Chart = Lines | Stack | Bars | Lanes | Intervals


class Table(Part, frozen=True):
    """Texts in rows.

    Attributes:
        columns: Headings.
        rows: Cells; each row as long as the headings.
        figures: Columns that hold figures, which stand to the right.
        hints: What a cell is made of, by "row:column"; shown to whoever points at it or reaches it by keyboard.
    """

    columns: list[str]
    rows: list[list[str]]
    figures: list[int] = []
    hints: dict[str, str] = {}


class Panel(Part, frozen=True):
    """One thing that is shown.

    Attributes:
        id: In the address and for tests.
        title: In a few words.
        says: What it shows, a sentence.
        chart: None for a table alone.
        table: The same as numbers; None for text alone.
        notes: How it is measured, what was left out.
        copy: A text with a button that copies it; empty without one.
        is_wide: Whether it needs the whole width.
    """

    id: str
    title: str
    says: str = ""
    chart: Chart | None = None
    table: Table | None = None
    notes: list[str] = []
    copy: str = ""
    is_wide: bool = False


class Sign(Part, frozen=True):
    """One of the words at the head of a page.

    Attributes:
        name: What is said.
        word: How it stands.
        tone: GOOD, BAD or MUTED.
        why: In a sentence; empty if there is nothing to say.
    """

    name: str
    word: str
    tone: Tone
    why: str = ""


class Section(Part, frozen=True):
    """Panels that answer one question."""

    title: str
    panels: list[Panel]


class Sheet(Part, frozen=True):
    """A whole page.

    Attributes:
        title: Its name.
        signs: What stands in the first line.
        facts: (name, value), in the second.
        sections: The rest.
        notes: What a reader must know before any number.
    """

    title: str
    signs: list[Sign]
    facts: list[tuple[str, str]]
    sections: list[Section]
    notes: list[str] = []
