"""Knows the panels about objectives: how long until the promise breaks; refuses to know other pages.

What an objective promises, by its name, is answered by `/v1/slos/{name}`, and what another promise would have been by
`/v1/slos/{name}/whatif`.

Source: spec/ui.md 5 (slo.*).
"""

from dashboards.asks_alert import good
from dashboards.asks_slo import contributors
from dashboards.columns import TIME, detail, key, number, numbers, text
from telemetry.panel import Column, Document, Kind, Page, Panel, Reads, Role, Unit

SLO = (
    Panel(
        id="slo.list",
        title="Objectives",
        page=Page.SLO,
        question="Which promise breaks first?",
        unit=Unit.RATIO,
        kind=Kind.TABLE,
        columns=(
            key("slo"),
            key("group"),
            detail("service"),
            text("state"),
            *numbers(Unit.RATIO, "objective", "sli", "budget_left"),
            number("budget_left_requests", Unit.REQUESTS),
            number("budget_left_time", Unit.SECONDS),
            number("burn_1h", Unit.BURN),
            detail("as_of"),
        ),
        meaning="Worst first: share of the budget left, and how long it lasts at the burn of the last hour.",
        action="Open the first one.",
        document=Document.SLOS,
    ),
    Panel(
        id="slo.burn",
        title="Burn rates",
        page=Page.SLO,
        question="How fast is the budget spent?",
        unit=Unit.BURN,
        kind=Kind.TABLE,
        columns=(
            key("slo"),
            key("group"),
            key("rule"),
            text("severity"),
            number("long_window", Unit.SECONDS),
            number("short_window", Unit.SECONDS),
            *numbers(Unit.BURN, "long", "short", "threshold"),
            text("state"),
        ),
        meaning="Both windows of a rule must exceed its threshold; 1 spends the budget in exactly its period.",
        action="A page wants somebody now, a ticket today.",
        document=Document.BURN,
    ),
    Panel(
        id="slo.rules",
        title="Rules",
        page=Page.SLO,
        question="Would we hear of an outage, and how soon?",
        unit=Unit.SECONDS,
        kind=Kind.TABLE,
        columns=(
            key("slo"),
            key("group"),
            key("rule"),
            text("severity"),
            detail("conditions"),
            number("reach", Unit.RATIO),
            text("can_fire"),
            *numbers(Unit.SECONDS, "detect_all_bad", "detect_half_bad", "detect_tenth_bad"),
            text("why"),
        ),
        meaning="Share of bad requests that a rule needs, and how long it takes to see all, half or a tenth bad.",
        action="Mend a rule that can never fire: loosen its burn, or lower its target.",
        document=Document.RULES,
    ),
    Panel(
        id="slo.budget",
        title="Budget left",
        page=Page.SLO,
        question="Does the budget last to the end of the period?",
        unit=Unit.RATIO,
        kind=Kind.LINE,
        columns=(
            TIME,
            number("budget_left", Unit.RATIO),
            number("projected", Unit.RATIO),
            Column(name="projected_low", unit=Unit.RATIO, role=Role.LOW),
            Column(name="projected_high", unit=Unit.RATIO, role=Role.HIGH),
        ),
        meaning="Of the period that ends at each instant, weighed by requests. From now on: at the burn of the last"
        " hour, between the least and the largest burn of 1 h, 6 h and 1 d, as old requests leave the period.",
        action="If it is spent before the period ends: freeze releases, and mend what burns.",
        document=Document.BUDGET,
        has_steps=True,
    ),
    Panel(
        id="slo.series",
        title="Good requests",
        page=Page.SLO,
        question="Since when does it hurt?",
        unit=Unit.RATIO,
        kind=Kind.LINE,
        columns=(TIME, number("good", Unit.RATIO)),
        meaning="Share of the requests that count, by what the objective calls good; a step without any is a gap.",
        action="Below the dashed line: open the alert, or the requests of that time.",
        reads=Reads.COUNTS,
        ask=good,
        has_steps=True,
    ),
    Panel(
        id="slo.contributors",
        title="Where bad requests are concentrated",
        page=Page.SLO,
        question="Whom does it hit more than usual?",
        unit=Unit.RATIO,
        kind=Kind.BAR,
        columns=(
            key("dimension"),
            key("value"),
            number("share", Unit.RATIO),
            Column(name="excess", unit=Unit.REQUESTS, role=Role.DETAIL),
            Column(name="bad", unit=Unit.REQUESTS, role=Role.DETAIL),
            Column(name="usual", unit=Unit.RATIO, role=Role.DETAIL),
            Column(name="lift", unit=Unit.BURN, role=Role.DETAIL),
            Column(name="looked_at", unit=Unit.RATIO, role=Role.DETAIL),
        ),
        meaning="Share of the bad requests beyond the same hours of the 7 days before (of a busy fleet a part of their"
        " seconds: `looked_at`); a tenth at least, of a day at most. Not volume: a value that is bad as often as ever"
        " has none.",
        action="Open the requests of the first value whose lift is above 1.",
        reads=Reads.ROWS,
        ask=contributors,
    ),
    Panel(
        id="slo.stages",
        title="Stages of flows",
        page=Page.SLO,
        question="Which stage takes the time, and which goes over its budget?",
        unit=Unit.SECONDS,
        kind=Kind.TABLE,
        columns=(
            key("stage"),
            *numbers(Unit.RATIO, "share_of_over", "share_of_time"),
            *numbers(Unit.SECONDS, "budget", "p50", "p95", "p99"),
            number("flows", Unit.COUNT),
        ),
        meaning="Share of all time beyond the budgets of stages, and of the time of done flows. Percentiles of stages"
        " never add up to one of flows; what was not done is endless, and n/a.",
        action="Mend the first one, or give it more of the flow's budget.",
        document=Document.STAGES,
        unlock={"*": "stages in an objective of flows (template: workflow_latency or media_pipeline)"},
    ),
    Panel(
        id="slo.mttr",
        title="How fast incidents end",
        page=Page.SLO,
        question="How long until we know, act and recover?",
        unit=Unit.SECONDS,
        kind=Kind.TABLE,
        columns=(
            key("time"),
            key("endpoint"),
            *numbers(Unit.SECONDS, "median", "mean", "p90"),
            number("incidents", Unit.COUNT),
            text("note"),
        ),
        meaning="Of the last 90 days: from the first bad minute to the page (MTTD), from there to a person (MTTA), and"
        " from the first to the last bad minute (MTTR). Below 5 incidents nothing is said.",
        action="Automate the dimension that limits the level.",
        document=Document.INCIDENTS,
    ),
)
