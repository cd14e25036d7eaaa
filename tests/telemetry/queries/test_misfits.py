"""Questions about misfits over stored requests: what belongs to whom, and what is left out."""

from typing import Any
from uuid import UUID

import msgspec
from flow_steps import Step, stored_steps
from query_store import SINCE_MS, Stored

from telemetry.queries.misfits import GROWTH_RATIO, batch_runs, flow_contexts, queue_shares
from telemetry.record import RequestRecord

AT_MS = SINCE_MS - 150 * 3_600_000
UNTIL_MS = AT_MS + 3_600_000


def rows(n: int, endpoint: str, **known: object) -> list[RequestRecord]:
    made = stored_steps([Step(flow=5, start_s=at, end_s=at + 1) for at in range(n)], AT_MS, endpoint)
    return [msgspec.structs.replace(one, **known) for one in made]


def insert(stored: Stored, name: str, records: list[RequestRecord]) -> None:
    stored.insert(name, [msgspec.structs.replace(one, record_id=UUID(int=n + 1)) for n, one in enumerate(records)])


def only(found: list[dict[str, Any]], endpoint: str) -> dict[str, Any]:
    (row,) = [one for one in found if one["endpoint"] == endpoint]
    return row


def test_half_of_the_prompt_before_is_still_its_context(stored: Stored) -> None:
    given = [
        *(Step(flow=1, start_s=at, end_s=at + 9, tokens_in=n) for at, n in ((0, 100), (1, 50), (2, 100))),
        *(Step(flow=2, start_s=at, end_s=9 - at, tokens_in=n) for at, n in ((0, 100), (1, 200), (2, 99))),
        *(Step(flow=3, start_s=at, end_s=at + 1, tokens_in=n) for at, n in ((0, 100), (1, 101), (2, 100))),
    ]
    insert(stored, "contexts", stored_steps(given, AT_MS, "contexts"))
    row = only(stored.rows(flow_contexts(AT_MS, UNTIL_MS)), "contexts")

    assert {name: row[name] for name in ("flows", "lost", "shrunk", "restarted", "unnumbered")} == {
        "flows": 3, "lost": 2, "shrunk": 1, "restarted": 1, "unnumbered": 0,
    }  # fmt: skip
    assert GROWTH_RATIO == 0.5


def test_a_queue_share_is_one_of_sums_and_never_above_all(stored: Stored) -> None:
    known = [
        *rows(1, "queues", ttft_us=100_000, srv_queue_us=90_000),
        *rows(1, "queues", ttft_us=900_000, srv_queue_us=0),
        *rows(1, "queues", ttft_us=100_000, srv_queue_us=500_000),
        *rows(1, "queues", ttft_us=None, srv_queue_us=500_000),
        *rows(1, "queues", ttft_us=100_000, srv_queue_us=None),
        *rows(1, "queues", ttft_us=100_000, srv_queue_us=100_000, workload_class="batch"),
        *rows(1, "queues", ttft_us=100_000, srv_queue_us=100_000, traffic="loadtest"),
    ]
    insert(stored, "queues", known)
    row = only(stored.rows(queue_shares(AT_MS, UNTIL_MS)), "queues")

    assert (row["n"], round(float(row["queue_ratio"]), 6)) == (3, round((90 + 0 + 100) / 1_100, 6))


def test_only_long_runs_of_users_are_added_up(stored: Stored) -> None:
    known: dict[str, object] = {"workload_class": "batch", "tokens_in": 10, "tokens_cache_read": 4, "tokens_out": 3}
    records = [
        *rows(4, "runs", **known),
        *rows(3, "runs", **known | {"flow_id": 6}),
        *rows(9, "runs", **known | {"flow_id": 7, "traffic": "probe"}),
        *rows(2, "runs", **known | {"flow_id": None}),
        *rows(9, "runs", **known | {"workload_class": "endpoint"}),
    ]
    insert(stored, "runs", records)
    row = only(stored.rows(batch_runs(AT_MS, UNTIL_MS, 3, 600)), "runs")
    shortest = only(stored.rows(batch_runs(AT_MS, UNTIL_MS, 100, 3.5)), "runs")

    assert {name: row[name] for name in row if name not in {"endpoint", "longest_s"}} == {
        "runs": 1, "inputs": 4, "tokens_read": 24, "tokens_cached": 16, "tokens_out": 12, "unknown": 0, "unnumbered": 2,
    }  # fmt: skip
    assert (row["longest_s"], shortest["runs"]) == (4.0, 1), "one is long by its time"
