"""Knows the tables of scaling hints, rollout verdicts and cold starts; refuses to know how they are decided.

Source: spec/store.md 3; spec/scaling.md (hint object, scores, cold starts measured per replica).
"""

from telemetry.schema.parts import NOBODY, ZSTD, Table, gauge, label, maybe_stamp, number, real, stamp, text, us

_WORDS = "Array(LowCardinality(String))"

HINTS = Table(
    name="hints",
    writer="slo",
    meaning="one hint; replicas of the controller write one row between them",
    order_by="(target, issued_at)",
    time="issued_at",
    kept_days=90,
    columns=(
        stamp("issued_at", "wall time at which it was issued"),
        stamp("instant", "aligned instant that was evaluated"),
        text("hint_id", "name of the hint"),
        number("seq", "UInt64", "number of the target's hint, ascending"),
        label("target", "what should be scaled"),
        label("namespace", "where it runs; empty if not set"),
        label("variant", "release or canary arm; empty if not set"),
        label("mode", "whether it is to be followed or only looked at"),
        label("action", "what to do"),
        number("spec", "UInt16", "replicas that are asked for now", "replicas"),
        number("ready", "UInt16", "replicas that serve now", "replicas"),
        number("warming", "UInt16", "replicas that start now", "replicas"),
        number("desired", "UInt16", "replicas that the hint asks for", "replicas"),
        real("raw", "the same before bounds and rounding", "replicas"),
        number("reasons", _WORDS, "reason codes, the strongest first", "", ZSTD),
        number("vetoes", _WORDS, "codes of what held it back", "", ZSTD),
        real("confidence", "how far the inputs can be trusted, 0 to 1"),
        text("payload", "the whole hint, JSON"),
    ),
)

HINT_ACKS = Table(
    name="hint_acks",
    writer="slo",
    meaning="what somebody did with a hint",
    order_by="(target, at)",
    time="at",
    kept_days=90,
    columns=(
        stamp("at", "wall time"),
        text("hint_id", "the hint; empty for what is about none"),
        label("target", "what it was about"),
        number("applied", "UInt16", "replicas that were asked for in the end", "replicas"),
        label("actor", "who acted"),
        label("kind", "ack, report, freeze or unfreeze"),
        maybe_stamp("until", "until when a freeze holds; NULL for the others"),
        text("reason", "why"),
    ),
)

HINT_STATE = Table(
    name="hint_state",
    writer="slo",
    meaning="what the controller carries from one instant to the next",
    order_by="(target, instant)",
    time="instant",
    kept_days=90,
    columns=(
        stamp("instant", "aligned instant that was evaluated"),
        label("target", "what is scaled"),
        text("state_json", "the state after it and the hint that was given, JSON"),
    ),
)

HINT_SCORES = Table(
    name="hint_scores",
    writer="slo",
    meaning="how a hint turned out, one lead later",
    order_by="(target, at)",
    time="at",
    kept_days=90,
    columns=(
        stamp("at", "wall time at which it was scored"),
        label("target", "what it was about"),
        text("hint_id", "the hint"),
        gauge("applied", "replicas that were asked for in the end; NULL if nobody said", "replicas"),
        real("demand_per_s", "arrivals that came", "requests/s"),
        number("held", "Nullable(UInt8)", "1 if they stayed below the forecast's 95th percentile; NULL without one"),
        real("missed_minutes", "time in which the objective was missed", "min"),
        real("gpu_h_delta", "GPU hours that following it would have cost, less what was spent", "h"),
    ),
)

COLD_STARTS = Table(
    name="cold_starts",
    writer="slo",
    meaning="one word on a start of one replica, ours or of whoever sees a phase; what it does not tell is NULL",
    order_by="(target, at)",
    time="at",
    kept_days=90,
    columns=(
        stamp("at", "wall time at which the replica was ready, or given up, or at which a phase was told"),
        label("target", "what was scaled"),
        label("replica", "address or pod of the replica; empty if unknown"),
        us("schedule_us", "asked for to scheduled on a node"),
        us("image_us", "fetching the image"),
        us("weights_us", "loading the weights"),
        us("init_us", "the engine's own start"),
        us("ready_us", "asked for to ready"),
        us("stable_us", "ready to the first 50 requests within their objective"),
        number("failed", "UInt8", "1 if it never became ready"),
    ),
)

VERDICTS = Table(
    name="verdicts",
    writer=NOBODY,
    meaning="one verdict on a release",
    order_by="(release, at)",
    time="at",
    kept_days=400,
    columns=(
        stamp("at", "wall time"),
        text("release", "what was judged"),
        label("verdict", "promote, rollback, wait or inconclusive"),
        text("window", "time that was looked at, JSON"),
        text("arms", "arms that were compared, JSON"),
        text("metrics_json", "what each metric says, JSON"),
        label("naive_verdict", "what a comparison without statistics would have said"),
    ),
)

HINT_TABLES = (HINTS, HINT_ACKS, HINT_STATE, HINT_SCORES, COLD_STARTS, VERDICTS)
