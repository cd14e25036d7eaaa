"""Knows the panels about alerts: what happened, to whom, since when, what next; refuses to know other pages.

What was said of one alert when it fired is answered by `/v1/alerts/{fingerprint}`.

Source: spec/ui.md 5 (alert.*).
"""

from dashboards.asks_alert import context, exemplars, signal
from dashboards.columns import TIME, detail, instant, key, number, numbers, text
from telemetry.panel import Document, Kind, Page, Panel, Reads, Unit

ALERT = (
    Panel(
        id="alert.sentence",
        title="Alerts",
        page=Page.ALERT,
        question="What happened, to whom, since when?",
        unit=Unit.COUNT,
        kind=Kind.TABLE,
        columns=(
            key("fingerprint"),
            key("alertname"),
            text("severity"),
            text("state"),
            detail("slo"),
            detail("group"),
            instant("since"),
            text("sentence"),
        ),
        meaning="What is pending, fires or has just ended; the sentence is made of stored rows alone.",
        action="Follow the first page.",
        document=Document.ALERTS,
    ),
    Panel(
        id="alert.signal",
        title="Signal around the start",
        page=Page.ALERT,
        question="What changed, and did something change just before?",
        unit=Unit.RATIO,
        kind=Kind.LINE,
        columns=(
            TIME,
            *numbers(Unit.RATIO, "sli", "sli_median"),
            *numbers(Unit.BURN, "burn", "burn_median"),
        ),
        meaning="Good requests, and the burn of five minutes; the level lines are the medians up to ten minutes before"
        " the start, and since.",
        action="A deployment or a change just before: roll it back.",
        reads=Reads.COUNTS,
        ask=signal,
        has_steps=True,
    ),
    Panel(
        id="alert.context",
        title="What stood around it",
        page=Page.ALERT,
        question="What is different at the peak?",
        unit=Unit.COUNT,
        kind=Kind.TABLE,
        columns=(
            key("fact"),
            detail("unit"),
            *numbers(Unit.COUNT, "before", "at_peak"),
            number("change", Unit.BURN),
        ),
        meaning="Medians of minutes, up to ten minutes before the start and around the worst minute since; each fact in"
        " its own unit, what changed most first.",
        action="Start with what more than doubled: the runbook names its remedy.",
        reads=Reads.ROWS,
        ask=context,
    ),
    Panel(
        id="alert.exemplars",
        title="Requests to look at",
        page=Page.ALERT,
        question="What did it do to one request?",
        unit=Unit.SECONDS,
        kind=Kind.TABLE,
        columns=(
            key("kind"),
            key("id"),
            instant("at"),
            text("ended"),
            number("elapsed", Unit.SECONDS),
            *(text(name) for name in ("replica", "trace")),
        ),
        meaning="The three longest of the bad requests, and one that is like most of the others.",
        action="Open the typical one: its bars say where the time went.",
        reads=Reads.ROWS,
        ask=exemplars,
    ),
    Panel(
        id="alert.delivery",
        title="Who was told",
        page=Page.ALERT,
        question="Has somebody heard of it?",
        unit=Unit.COUNT,
        kind=Kind.TABLE,
        columns=(
            key("receiver"),
            instant("at"),
            text("alert"),
            text("said"),
            text("status"),
            number("attempts", Unit.COUNT),
            instant("next_try"),
            text("why"),
        ),
        meaning="Newest first, of this replica. At least once: who died between a try and its note says it again.",
        action="Nobody heard: mend the receiver, or tell somebody yourself.",
        document=Document.NOTICES,
        unlock={"*": "slo.channels in the configuration: the file of who is told"},
    ),
)
