"""Knows how the rows of a run become what the gate compares; refuses to judge.

The population is that of `loadtest.digest`: first turns of the measured part, each by its last attempt; what was cut by
plan is left out, and whatever else did not end well counts as +infinity.

Source: spec/loadtest.md 6, 13; spec/measurement.md 6 (tokens by event time).
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from loadtest.attainment import meets
from loadtest.gate import Request, Run
from loadtest.plan_spec import Objectives
from loadtest.rows import Row, place
from loadtest.run_spec import Phase
from telemetry.outcome import Flag, Outcome

_US = 1e6


def gated_run(rows: Iterable[Row], window_ns: tuple[int, int], limits: Mapping[str, Objectives]) -> Run:
    """Return a run as the gate compares it.

    Args:
        rows: Every row of the run, in any order.
        window_ns: Beginning and end of the measured part, nanoseconds after the start of the plan.
        limits: Objectives of each workload class; one without an entry has none.
    """
    kept = list(rows)
    tokens: Counter[int] = Counter()
    is_known = True
    for row in kept:
        found = _tokens(row)
        tokens.update(found)
        is_known = is_known and (bool(found) or not _has_tokens(row))
    since_s, until_s = (edge_ns / 1e9 for edge_ns in window_ns)
    return Run(
        since_s=since_s,
        until_s=until_s,
        requests=[_request(row, limits.get(row.record.workload_class)) for row in population(kept)],
        tokens=[(float(second), n) for second, n in sorted(tokens.items())] if is_known else None,
    )


def population(rows: Iterable[Row]) -> list[Row]:
    """Return the requests that count, in the order of the plan, of rows in any order."""
    return list(counted(sorted(rows, key=place)))


def counted(rows: Iterable[Row]) -> Iterator[Row]:
    """Return the requests that count, one by one, of rows in the order of the plan."""
    return (
        row for row in lasts(rows) if row.run_phase is Phase.MEASURED and not row.record.flags & Flag.ABORTED_BY_PLAN
    )


def lasts(rows: Iterable[Row]) -> Iterator[Row]:
    """Return the last attempt of each first turn, one by one, of rows in the order of the plan."""
    before: Row | None = None
    for row in rows:
        if row.turn > 1:
            continue
        if before is not None and before.j != row.j:
            yield before
        before = row
    if before is not None:
        yield before


def _request(row: Row, limits: Objectives | None) -> Request:
    record = row.record
    return Request(
        at_s=row.t_sched_us / _US,
        ttft_s=_seconds(record.ttft_us),
        tpot_s=_seconds(record.tpot_us),
        max_gap_s=_seconds(record.icl_max_us),
        is_bad=record.outcome is not Outcome.OK,
        meets=meets(record, limits) if limits else None,
    )


def _tokens(row: Row) -> dict[int, int]:
    """Return the output tokens of a row by second after the start, as far as they are known."""
    if row.record.ttft_us is None:
        return {}
    first_s = (row.t_sched_us + row.record.ttft_us) // 1_000_000
    return {first_s + at: n for at, n in enumerate(row.record.tok_by_s)}


def _has_tokens(row: Row) -> bool:
    """Return whether a good answer has tokens, as far as it does not say that it has none."""
    return row.record.outcome is Outcome.OK and row.record.tokens_out != 0


def _seconds(us: int | None) -> float | None:
    return None if us is None else us / _US
