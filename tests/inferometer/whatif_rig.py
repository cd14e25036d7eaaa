"""A target and its recorded traffic, for the tests of what policies would have made of it."""

from dataclasses import replace
from uuid import NAMESPACE_URL, uuid5

import msgspec

from inferometer.hints_file import usual_target
from inferometer.hints_whatif_told import WhatIf
from slo.hints_replayed import ReplayAsked
from slo.hints_target import Hinted
from telemetry.clock import wall_ms
from telemetry.record import RequestBatch
from telemetry.testing.memory_store import sample_request
from telemetry.testing.store_process import StoreProcess

SINCE_S = wall_ms() // 1000 - 3_600
UNTIL_S = SINCE_S + 1_800


def insert(process: StoreProcess, endpoint: str, n: int, every_ms: int = 500, model: str = "m") -> None:
    """Store requests of an endpoint, from a little after `SINCE_S` on."""
    at_ms = SINCE_S * 1000 + 2_000
    records = tuple(
        msgspec.structs.replace(
            sample_request(at, at_ms + at * every_ms),
            record_id=uuid5(NAMESPACE_URL, f"whatif-{endpoint}-{model}-{at}"),
            endpoint=endpoint,
            model=model,
            tokens_in=400 + at % 5 * 100,
            tokens_out=30 + at % 7,
        )
        for at in range(n)
    )
    writer = process.store("writer")
    name = f"whatif-{endpoint}-{model}"
    writer.insert_requests(RequestBatch(collector=name, seqs=tuple(range(1, n + 1)), records=records), name)
    writer.close()


def target(endpoint: str, **settings: object) -> Hinted:
    """Return the target of an endpoint."""
    usual = usual_target(endpoint)
    return replace(usual, settings=replace(usual.settings, **settings))


def asked(*policies: str, seeds: int = 2, until_s: int = UNTIL_S) -> ReplayAsked:
    """Return the question about the stored requests."""
    return ReplayAsked(policies=policies, since_s=SINCE_S, until_s=until_s, seeds=seeds, objective_ratio=0.99)


def told(process: StoreProcess, parent: int, of: Hinted, question: ReplayAsked) -> WhatIf:
    """Return what the process that replays is told."""
    return WhatIf(
        parent=parent,
        store_url=process.url,
        reader="reader",
        reader_password_file=str(process.data / "secrets" / "store_reader"),
        target=of,
        asked=question,
    )
