"""A case to explain: requests of one endpoint in the five minutes before an instant, a week of usual ones, an alert."""

from collections.abc import Mapping, Sequence
from typing import Any, cast
from uuid import UUID

import msgspec

from slo.alarms import Judged
from slo.alert import Alert
from slo.alert_moves import AlertState
from slo.alert_states import Record
from slo.burn_catalogue import Severity
from slo.counts import Counts
from slo.evaluation import Facts, evaluate
from slo.explain_words import Part
from slo.expression import parse
from slo.objective import Indicator, Objective, Rolling
from slo.telemetry_state import Heartbeats
from slo.watched import watched
from telemetry.clock import wall_ms
from telemetry.queries.asked import Dim
from telemetry.record import RequestBatch, RequestRecord
from telemetry.schema.details import MARKERS
from telemetry.store import Store
from telemetry.testing.memory_store import sample_request

DAY_S = 86_400
AT_S = (wall_ms() // 3_600_000 - 2) * 3_600
"""An instant of which everything is kept."""
WITHIN_A_SECOND = "ok and ttft_s <= 1.0"


def case(
    endpoint: str,
    *,
    labels: dict[str, tuple[str, ...]] | None = None,
    is_blind: bool = False,
    bad: int = 1_000,
    severity: str = Severity.PAGE,
) -> tuple[Judged, Alert]:
    """Return an objective that burns, and its alert.

    Args:
        endpoint: Its group.
        labels: Of the objective.
        is_blind: Whether nothing is seen.
        bad: Of 2,000 requests in every window; 20 are allowed.
        severity: Of the alert.
    """
    objective = Objective(
        name="fast",
        service="chat",
        target=0.99,
        window=Rolling(length_s=30 * DAY_S),
        indicator=Indicator(good=parse(WITHIN_A_SECOND), group_by=(Dim.ENDPOINT,)),
        labels=labels or {},
    )
    one = watched(objective)
    windows = {window_s: Counts(eligible=2_000, bad=bad) for window_s in one.windows_s}
    seen = Heartbeats.STORE_GONE if is_blind else Heartbeats.FRESH
    found = evaluate(one, Facts(at_s=AT_S, windows=windows, seen=seen))
    record = Record(fingerprint=0xBEEF, definition_hash=one.definition_hash, state=AlertState.FIRING, at_s=AT_S)
    names = {"alertname": "fast", "slo": "fast", "severity": severity, "endpoint": endpoint}
    return Judged(watched=one, group={"endpoint": endpoint}, found=found), Alert(
        record=record, labels=names, annotations={}
    )


def items(part: Part) -> list[dict[str, Any]]:
    """Return the facts of a part that is a list."""
    return cast("list[dict[str, Any]]", part.facts)


class Traffic:
    """Requests of several endpoints, gathered and then stored at once."""

    def __init__(self) -> None:
        self._records: list[RequestRecord] = []

    def add(
        self,
        endpoint: str,
        n: int,
        changed: Mapping[str, object],
        *,
        before_s: float = 200.0,
        days: Sequence[int] = (0,),
    ) -> None:
        """Add requests that ended so long before the instant, on each of these days before it."""
        for day in days:
            for at in range(n):
                ended_at = (AT_S - day * DAY_S) * 1000 - round(before_s * 1000) + at
                one = msgspec.structs.replace(sample_request(at, ended_at), endpoint=endpoint, **changed)
                number = UUID(int=len(self._records) + 1)
                lasted = (one.ttft_us or 0) + 1_450_000
                self._records.append(msgspec.structs.replace(one, elapsed_us=lasted, record_id=number))

    def usual(self, endpoint: str) -> None:
        """Add a week of what eight replicas usually do: 4 % are too slow."""
        for replica in range(8):
            self.add(endpoint, 24, {"replica": f"r{replica}"}, days=range(1, 8))
            self.add(endpoint, 1, {"replica": f"r{replica}", "ttft_us": 1_500_000}, days=range(1, 8))

    def store(self, writer: Store) -> None:
        records = tuple(self._records)
        batch = RequestBatch(collector="explain", seqs=tuple(range(len(records))), records=records)
        writer.insert_requests(batch, "explain")


def deploy(writer: Store, endpoint: str, before_s: int, **told: object) -> None:
    """Say that something was deployed."""
    values = {
        "at": (AT_S - before_s) * 1000, "end": None, "kind": "deploy", "service": "chat", "automated": 1,
        "endpoint": endpoint, "version": "v2", "actor": "ci", "text": "",
    } | told  # fmt: skip
    writer.insert_rows(MARKERS, [[values[one.name] for one in MARKERS.insert_columns]], f"{endpoint}-deploy")
