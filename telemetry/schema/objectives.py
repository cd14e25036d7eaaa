"""Knows the tables of objectives: definitions, counts, alerts, silences; refuses to know how an objective is judged.

What changes is a row more: read the last one by its revision or time.

Source: spec/store.md 3 (alerts), 4.5 (counts).
"""

from telemetry.schema.parts import (
    NOBODY,
    ZSTD,
    Column,
    Table,
    counts,
    label,
    maybe_stamp,
    number,
    real,
    stamp,
    text,
    total,
    us,
)

SLO_DEFINITIONS = Table(
    name="slo_definitions",
    writer="slo",
    meaning="one revision of an objective: it began to hold, or stopped; replicas of the evaluator write one row",
    order_by="(slo, revision)",
    columns=(
        label("slo", "name of the objective"),
        number("revision", "UInt32", "number of the revision, ascending"),
        number("definition_hash", "UInt64", "hash of what counts"),
        stamp("effective_at", "wall time from which it holds, or from which it is not evaluated any more"),
        number("active", "UInt8", "1 while it is evaluated; 0 says that it stopped"),
        text("source_yaml", "the definition, an OpenSLO document that holds all that is said of it"),
    ),
)


def _slo_counts(name: str, bucket: str, kept_days: int, writer: str = "slo") -> Table:
    time = Column(
        name="t", type="DateTime('UTC')", meaning=f"start of the {bucket}", codec="DoubleDelta, ZSTD(1)", unit="s"
    )
    return Table(
        name=name,
        writer=writer,
        meaning=f"one revision of the counts of one objective and group in {bucket}; read the last one",
        order_by="(slo, group_key, t)",
        time="t",
        kept_days=kept_days,
        columns=(
            time,
            label("slo", "name of the objective"),
            label("group_key", "values that the objective is grouped by, as a JSON object"),
            number("definition_hash", "UInt64", "definition that was counted by"),
            number("revision", "UInt32", "0, and one more each time late rows were counted in"),
            total("eligible", "requests that count", "requests"),
            total("good", "those of them within the objective", "requests"),
            counts("bad", "those of them that are not, by outcome", "requests"),
            total("censored_bad", "bad ones whose end was not seen", "requests"),
            counts("excluded", "requests that do not count, by reason", "requests"),
            counts("n_null", "requests whose value is unknown, by column", "requests"),
            real("coverage", "share of the requests that were observed, 0 to 1"),
            stamp("computed_at", "the store's clock when it was counted"),
        ),
    )


SLO_MINUTES = _slo_counts("slo_minutes", "a bucket of 30 s", 400)
SLO_HOURS = _slo_counts("slo_hours", "an hour", 800, NOBODY)

ALERT_EVENTS = Table(
    name="alert_events",
    writer="slo",
    meaning="one transition of one alert; replicas of the evaluator write one row between them",
    order_by="(fingerprint, at)",
    time="at",
    kept_days=400,
    columns=(
        stamp("at", "wall time of the transition"),
        stamp("instant", "aligned instant that was evaluated"),
        number("fingerprint", "UInt64", "hash of the alert's labels"),
        label("alertname", "name of the alert"),
        label("slo", "objective behind it"),
        label("severity", "page, ticket or info"),
        label("from_state", "state before"),
        label("to_state", "state after"),
        maybe_stamp("active_at", "when its condition became true"),
        maybe_stamp("fired_at", "when it fired"),
        maybe_stamp("clear_since", "since when its condition is false"),
        maybe_stamp("resolved_at", "when it was resolved"),
        number("occurrence", "UInt32", "how often it has fired"),
        number("definition_hash", "UInt64", "definition that was evaluated"),
        *(
            Column(name=name, type="Map(LowCardinality(String), String)", meaning=meaning, codec=ZSTD)
            for name, meaning in (("labels", "labels of the alert"), ("annotations", "words for a person"))
        ),
        Column(name="values", type="Map(LowCardinality(String), Float64)", meaning="numbers behind it", codec=ZSTD),
        label("evaluator", "replica that wrote the row"),
    ),
)

NOTIFICATION_LOG = Table(
    name="notification_log",
    writer="slo",
    meaning=(
        "one step of one notification; a copy, the notifier's own file is written before and after each send."
        " Alertmanagers are told each minute what stands, and are not in it"
    ),
    order_by="(channel, at)",
    time="at",
    kept_days=400,
    columns=(
        stamp("at", "wall time of the step"),
        label("channel", "where it goes"),
        text("group_key", "alerts that go together; empty for one that was given up untried"),
        number("fingerprint", "UInt64", "hash of the alert's labels"),
        text("idempotency_key", "what lets the receiver know a repetition"),
        number("attempt", "UInt8", "1 for a first attempt; 255 for that and any later one"),
        label("state", "intent, sent, failed or given_up"),
        number("http_status", "UInt16", "status of the answer; 0 if none came"),
        us("duration_us", "send to answer"),
        label("replica", "replica that sent it"),
    ),
)

SILENCES = Table(
    name="silences",
    writer="slo",
    meaning="one state of a silence; the last one holds",
    order_by="(silence_id, at)",
    time="at",
    kept_days=400,
    columns=(
        stamp("at", "wall time of this state"),
        text("silence_id", "name of the silence"),
        Column(
            name="matchers",
            type="Array(Tuple(name String, op LowCardinality(String), value String))",
            meaning="labels that an alert must have",
            codec=ZSTD,
        ),
        stamp("starts_at", "wall time from which it holds"),
        stamp("ends_at", "wall time until which it holds"),
        label("author", "who said so"),
        text("comment", "why"),
        label("state", "pending, active or expired"),
    ),
)

ALERT_ACKS = Table(
    name="alert_acks",
    writer="slo",
    meaning="somebody took an alert on",
    order_by="(fingerprint, at)",
    time="at",
    kept_days=400,
    columns=(
        stamp("at", "wall time"),
        number("fingerprint", "UInt64", "hash of the alert's labels"),
        label("who", "who took it on"),
        maybe_stamp("until", "until when; NULL for as long as it fires"),
    ),
)

OBJECTIVE_TABLES = (
    SLO_DEFINITIONS,
    SLO_MINUTES,
    SLO_HOURS,
    ALERT_EVENTS,
    NOTIFICATION_LOG,
    SILENCES,
    ALERT_ACKS,
)
