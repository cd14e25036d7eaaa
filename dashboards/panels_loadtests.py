"""Knows the panels about load tests: may we ship, what is normal; refuses to know other pages.

Source: spec/ui.md 5 (lt.*).
"""

from dashboards.asks_compare import compared
from dashboards.asks_curve import points
from dashboards.asks_loads import fit, latency, roofline, runs
from dashboards.columns import bounded, detail, instant, key, number, numbers, text
from telemetry.panel import Column, Kind, Page, Panel, Reads, Role, Unit

_RUN = {"*": "inferometer load run URL --rate 5 --seconds 660 --warm-up 60 --ttft-max 0.5"}
_SWEEP = {"*": "inferometer load sweep URL --ttft-max 0.5 --engine engine.yaml"}
_ROOFLINE = {"*": "roofline: {model: llama-70b, device: h100} in the file of inferometer load run --engine FILE"}

LOADTESTS = (
    Panel(
        id="lt.runs",
        title="Runs",
        page=Page.LOADTESTS,
        question="Which load tests are there?",
        unit=Unit.PER_S,
        kind=Kind.TABLE,
        columns=(
            key("run_id"),
            instant("started"),
            number("duration", Unit.SECONDS),
            *(text(name) for name in ("target", "model", "engine", "gpu_model", "flags", "fit", "verdict")),
            number("good_per_s", Unit.PER_S),
        ),
        meaning="Newest first; a run that is not fit says nothing about the target, and is shown all the same.",
        action="Open one, or compare two.",
        reads=Reads.LOADS,
        ask=runs,
        unlock=_RUN,
        proof=("started",),
    ),
    Panel(
        id="lt.fit",
        title="The client",
        page=Page.LOADTESTS,
        question="Was the client the limit?",
        unit=Unit.SECONDS,
        kind=Kind.TABLE,
        columns=(
            key("run_id"),
            number("step", Unit.COUNT),
            text("kind"),
            *numbers(Unit.SECONDS, "dispatch_lag_p99", "read_lag_p99"),
            *numbers(Unit.REQUESTS, "planned", "completed", "shed"),
        ),
        meaning="How late requests were sent and answers were read; lags that are large make a run unfit.",
        action="Mend the client, then run again.",
        reads=Reads.LOADS,
        ask=fit,
    ),
    Panel(
        id="lt.knee",
        title="Goodput by offered rate",
        page=Page.LOADTESTS,
        question="How much can it carry?",
        unit=Unit.PER_S,
        kind=Kind.TABLE,
        columns=(
            key("run_id"),
            number("offered_per_s", Unit.PER_S),
            *bounded("good_per_s", Unit.PER_S),
            *bounded("ttft_p95", Unit.SECONDS),
            *bounded("tpot_p95", Unit.PER_TOKEN),
            text("state"),
            text("mark"),
        ),
        meaning="Open loop, failures infinite, 95 % intervals: past the knee more offered gives less that is good.",
        action="Adopt the recommended rate as capacity: the highest that was proven to keep its objectives.",
        reads=Reads.LOADS,
        ask=points,
        unlock=_SWEEP,
        proof=("good_per_s",),
    ),
    Panel(
        id="lt.roofline",
        title="Roofline",
        page=Page.LOADTESTS,
        question="Is it the hardware, and which part of it?",
        unit=Unit.TOKENS_PER_S,
        kind=Kind.TABLE,
        columns=(
            key("run_id"),
            instant("started"),
            number("reached_ratio", Unit.RATIO),
            *numbers(Unit.TOKENS_PER_S, "out_tokens_per_s", "achievable_tokens_per_s"),
            *(text(name) for name in ("wall", "remedy", "missing")),
            *numbers(Unit.RATIO, "mbu", "mfu"),
            text("measured"),
        ),
        meaning="Output of what model and GPUs can give of this mix at most; at a low rate it is little, and no fault.",
        action="Turn the knob that the wall names.",
        reads=Reads.LOADS,
        ask=roofline,
        unlock=_ROOFLINE,
        proof=("achievable_tokens_per_s", "missing"),
    ),
    Panel(
        id="lt.compare",
        title="Two runs",
        page=Page.LOADTESTS,
        question="Is b worse than a?",
        unit=Unit.RATIO,
        kind=Kind.TABLE,
        columns=(
            key("metric"),
            detail("unit"),
            *numbers(Unit.COUNT, "a", "b"),
            *bounded("ratio", Unit.RATIO),
            number("effect", Unit.RATIO),
            number("p", Unit.RATIO),
            text("verdict"),
            *(Column(name=name, unit=Unit.REQUESTS, role=Role.DETAIL) for name in ("n_a", "n_b")),
            *(detail(name) for name in ("run_a", "run_b", "flags")),
        ),
        meaning="b as a share of a, 95 % interval over blocks of 10 s; effect: share of pairs in which b took longer.",
        action="Ship by inferometer load gate: two runs do not show how runs differ anyway.",
        reads=Reads.LOADS,
        ask=compared,
        unlock=_RUN,
        proof=("b",),
    ),
    Panel(
        id="lt.latency",
        title="Distributions",
        page=Page.LOADTESTS,
        question="How are the times of a run spread?",
        unit=Unit.SECONDS,
        kind=Kind.TABLE,
        columns=(
            Column(name="share", unit=Unit.RATIO, role=Role.DETAIL),
            *(
                Column(name=name, unit=Unit.PER_TOKEN if "tpot" in name else Unit.SECONDS, is_ok_only="ok_" in name)
                for name in ("ttft_s", "ok_ttft_s", "tpot_s", "ok_tpot_s", "e2e_s", "ok_e2e_s")
            ),
        ),
        meaning="Share of requests at or below a time, of all that were offered and of successes; the gap is failures.",
        action="Look at the phases of the slow ones in the requests.",
        reads=Reads.LOADS,
        ask=latency,
    ),
)
