"""Knows runs as the store keeps them, for whoever has not got their directories; refuses to compare them.

The store knows of a request when it ended and how long that took from its planned time, the former to the millisecond:
that is how exactly it is placed within the run here, whereas its figures are those that were measured. Not known is
which arrival of the plan it was, so that runs with retries or conversations cannot be read.

Source: spec/loadtest.md 12 (raw rows live with `run_id` in `requests`); spec/store.md 2.1 (kept for 14 days).
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from inferometer import load_kept
from inferometer.errors import ConfigurationError
from inferometer.load_columns import planned_us
from inferometer.load_kept import Kept
from inferometer.reading import Source
from loadtest.rows import Row
from loadtest.run_spec import Phase, RunSpec
from telemetry.outcome import Eligibility, Outcome
from telemetry.outcome import Phase as Reached
from telemetry.queries.loads import load_requests, load_run_reports
from telemetry.record import RequestRecord
from telemetry.schema.requests import REQUESTS

SLACK_MS = 60_000
"""Beyond the ends of a run, how far its requests are looked for: clocks of hosts differ."""
_READ_APART = frozenset({"ended_unix_ms", "outcome", "phase", "eligible", "tok_by_s"})


def stored(source: Source, run_ids: Sequence[str]) -> list[Kept]:
    """Return runs by their ids, in that order, with their rows.

    Raises:
        ConfigurationError: One is not there, or not all of its requests, or cannot be read.
        InferometerError: The store does not answer or refuses.
    """
    found = {str(row["run_id"]): row for row in source.rows(load_run_reports(run_ids))}
    if missing := [run_id for run_id in run_ids if run_id not in found]:
        raise ConfigurationError(f"the store {source.url} has no run {', '.join(missing)}")
    return [_kept(source, run_id, found[run_id]) for run_id in run_ids]


def _kept(source: Source, run_id: str, row: Mapping[str, Any]) -> Kept:
    where = f"run {run_id} of the store {source.url}"
    try:
        receipt = json.loads(row["receipt_json"])
        spec = msgspec.convert(receipt["run"], RunSpec)
        report = json.loads(row["report_json"]) | {"receipt": receipt}
        run = load_kept.told(Path(spec.directory), report, spec)
        expected = int(receipt["rows"])
    except (ValueError, LookupError, TypeError) as error:
        raise ConfigurationError(f"{where}: not a run of this version: {error!r}") from None
    started_ms, ended_ms = int(row["started_unix_ms"]), int(row["ended_unix_ms"])
    rows = source.rows(load_requests(run_id, started_ms - SLACK_MS, ended_ms + SLACK_MS))
    if len(rows) != expected:
        kept = f"they are kept for {REQUESTS.kept_days} days unless configured otherwise"
        raise ConfigurationError(f"{where}: {len(rows)} of its {expected} requests are there; {kept}")
    if any(one.conversations for one in spec.plan.classes) or any(one["attempt"] != 1 for one in rows):
        raise ConfigurationError(f"{where}: retries and conversations can only be read from its directory")
    given = tuple(_row(at, one, started_ms, run.window_ns) for at, one in enumerate(rows))
    return Kept(directory=run.directory, spec=spec, report=report, key=run.key, given=given)


def _row(at: int, found: Mapping[str, Any], started_ms: int, window_ns: tuple[int, int]) -> Row:
    record = _record(found)
    t_sched_us = planned_us(record.ended_at, record.elapsed_us, started_ms)
    first_ns, until_ns = window_ns
    phase = Phase.WARM_UP if t_sched_us * 1000 < first_ns else Phase.COOL_DOWN
    return Row(
        j=at,
        t_sched_us=t_sched_us,
        run_phase=Phase.MEASURED if first_ns <= t_sched_us * 1000 < until_ns else phase,
        worker=0,
        arm=0,
        len_in=record.tokens_in or 0,
        len_out=record.tokens_out or 0,
        record=record,
    )


def _record(found: Mapping[str, Any]) -> RequestRecord:
    plain = {name: value for name, value in found.items() if name not in _READ_APART}
    return RequestRecord(
        **plain,
        ended_at=found["ended_unix_ms"],
        outcome=Outcome(found["outcome"]),
        phase=Reached(found["phase"]),
        eligible=Eligibility(found["eligible"]),
        tok_by_s=tuple(found["tok_by_s"]),
    )
