"""Requests of the past for the tests of the built-in rules, each endpoint apart from all others."""

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

import msgspec

from slo.rules.rule import Found, Rule
from telemetry.clock import wall_ms
from telemetry.record import RequestBatch, RequestRecord
from telemetry.store import Store
from telemetry.testing.memory_store import sample_request

HOUR_S, DAY_S = 3_600, 86_400
NOW_S = wall_ms() // 1000 // HOUR_S * HOUR_S
"""A whole hour, at which rules are asked."""
MODEL = "m"

Change = tuple[float, Mapping[str, Any]]
"""When a request ended, unix seconds, and what it is otherwise than usual."""


def requests(endpoint: str, changes: Iterable[Change]) -> list[RequestRecord]:
    """Return requests of one endpoint."""
    usual = msgspec.structs.replace(sample_request(0), endpoint=endpoint, model=MODEL)
    return [
        msgspec.structs.replace(usual, ended_at=round(at_s * 1000), record_id=UUID(int=n), **change)
        for n, (at_s, change) in enumerate(changes)
    ]


def insert(writer: Store, endpoints: Mapping[str, Iterable[Change]]) -> None:
    """Let the requests of endpoints be stored, all at once: an insert costs more than its rows."""
    records = [record for name, changes in endpoints.items() for record in requests(name, changes)]
    name = f"past/{next(iter(endpoints))}"
    batch = RequestBatch(collector=name, seqs=tuple(range(1, len(records) + 1)), records=tuple(records))
    writer.insert_requests(batch, name)


def found_by_endpoint(reader: Store, rule: Rule, at_s: int = NOW_S) -> dict[str, Found]:
    """Return what a rule finds of the endpoints made here, which have one model at most."""
    rows = {name: reader.query(question) for name, question in rule.questions(at_s).items()}
    found: dict[str, Found] = {}
    for one in rule.judge(at_s, rows):
        if one.labels.get("model", MODEL) == MODEL:
            assert one.labels["endpoint"] not in found
            found[one.labels["endpoint"]] = one
    return found
