"""Knows one function per question to the store, its SQL and its values; refuses to know who asks or who answers.

Source: spec/store.md 4.2 to 4.6, 13.
"""

from telemetry.queries.asked import Asked, Dim, Metric, Pick, Source
from telemetry.queries.baseline_states import baselines
from telemetry.queries.batches import (
    INSERTS_MAX,
    INSERTS_SINCE,
    REBUILT,
    ROLLUPS_MADE,
    RUNS_MAX,
    STORED_COUNT,
    duplicates,
    inserts_since,
    runs_of,
    stored_count,
)
from telemetry.queries.belt import identities, rollup_differences
from telemetry.queries.buckets import PERCENTILES_PPM
from telemetry.queries.burn import BURN_WINDOWS_S, burn_inputs
from telemetry.queries.exemplars import request, slowest
from telemetry.queries.health import coverage, in_flight, telemetry_health
from telemetry.queries.latency import fraction_below, heat_map, percentiles
from telemetry.queries.minutes import counted_buckets, counted_until, late_buckets, oldest_request, sums_by
from telemetry.queries.picker import EXACT_ROWS_MAX, NoTableError, pick
from telemetry.queries.probing import last_probes
from telemetry.queries.question import Question
from telemetry.queries.report_exact import METRICS, QUANTILES, TOKEN_BINS_S_MAX, rank_floor, report, top
from telemetry.queries.report_rolled import REPORT_EXACT_ROWS_MAX, report_rolled, row_count
from telemetry.queries.traffic import outcome_shares, throughput

__all__ = [
    "BURN_WINDOWS_S",
    "EXACT_ROWS_MAX",
    "INSERTS_MAX",
    "INSERTS_SINCE",
    "METRICS",
    "PERCENTILES_PPM",
    "QUANTILES",
    "REBUILT",
    "REPORT_EXACT_ROWS_MAX",
    "ROLLUPS_MADE",
    "RUNS_MAX",
    "STORED_COUNT",
    "TOKEN_BINS_S_MAX",
    "Asked",
    "Dim",
    "Metric",
    "NoTableError",
    "Pick",
    "Question",
    "Source",
    "baselines",
    "burn_inputs",
    "counted_buckets",
    "counted_until",
    "coverage",
    "duplicates",
    "fraction_below",
    "heat_map",
    "identities",
    "in_flight",
    "inserts_since",
    "last_probes",
    "late_buckets",
    "oldest_request",
    "outcome_shares",
    "percentiles",
    "pick",
    "rank_floor",
    "report",
    "report_rolled",
    "request",
    "rollup_differences",
    "row_count",
    "runs_of",
    "slowest",
    "stored_count",
    "sums_by",
    "telemetry_health",
    "throughput",
    "top",
]
