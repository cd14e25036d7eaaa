"""Knows the tables in which the pipeline speaks of itself: heartbeats and clock steps; refuses to know who alarms.

Source: spec/store.md 3 (heartbeats, clock_events).
"""

from telemetry.schema.parts import BY_SERIES, T64, ZSTD, Column, Table, counts, label, number, stamp, total

_AGES = "Map(Int16, UInt32)"

HEARTBEATS = Table(
    name="heartbeats",
    writer="collector",
    meaning="one second of one collector, endpoint, model and class; totals are cumulative per boot",
    order_by="(collector, endpoint, ts)",
    time="ts",
    kept_days=14,
    shard_by=BY_SERIES,
    columns=(
        stamp("ts", "wall time of the heartbeat"),
        label("collector", "<node>/<epoch8> of the spool"),
        label("endpoint", "configured name of the endpoint"),
        label("model", "model named by the requests; empty for those that name none"),
        label("workload_class", "configured class of the workload; empty if not set"),
        number("boot", "UInt32", "number of the process's start: totals begin again with it", "", T64),
        stamp("watermark", "every request that ended before is stored"),
        number("seq_last", "UInt64", "last spool sequence number given out", "", "Delta(8), ZSTD(1)"),
        total("accepted_total", "records offered to the spool, dropped ones included", "records"),
        total("stored_total", "records that the store has acknowledged", "records"),
        total("dlq_total", "records set aside because the store refused them", "records"),
        total("spooled", "records that wait in the spool now", "records"),
        counts("dropped_total", "records dropped, by reason", "records"),
        total("tee_frames_dropped_total", "frames lost between data plane and observer", "frames"),
        total("unparsed_conns_total", "connections that are copied and not understood", "connections"),
        total("arrivals_total", "requests that began: the demand, which completions hide", "requests"),
        total("first_outputs_total", "requests whose first output came", "requests"),
        total("tokens_out_total", "output tokens", "tokens"),
        number("in_flight", "UInt32", "requests that run now", "requests", T64),
        number("waiting_first", "UInt32", "those of them without output", "requests", T64),
        Column(name="waiting_age_h", type=_AGES, meaning="histogram of their ages", codec=ZSTD, unit="requests"),
        Column(name="in_flight_age_h", type=_AGES, meaning="ages of all that run", codec=ZSTD, unit="requests"),
        number("loop_lag_us_max", "UInt32", "longest time for which the event loop was late", "us", T64),
        total("rss_bytes", "resident memory", "bytes"),
        total("cpu_us_total", "processor time since the process began", "us"),
        number("clock_offset_us", "Int64", "wall clock less the anchor's", "us", T64),
    ),
)

CLOCK_EVENTS = Table(
    name="clock_events",
    writer="collector",
    meaning="one step of a wall clock against the monotonic one",
    order_by="(collector, ts)",
    time="ts",
    kept_days=400,
    columns=(
        stamp("ts", "wall time after the step"),
        label("collector", "<node>/<epoch8> of the spool"),
        number("step_us", "Int64", "how far it stepped; negative is back", "us"),
        stamp("wall_before", "wall clock that was expected"),
        stamp("wall_after", "wall clock that was found"),
    ),
)

PIPELINE_TABLES = (HEARTBEATS, CLOCK_EVENTS)
