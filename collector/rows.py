"""Knows how a measured exchange becomes a row: names, wall time, identifiers; refuses to know how it was measured.

Source: spec/store.md 2.1 and 6, spec/measurement.md 1.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

from collector.labels import UNKNOWN, Dims, Labels
from telemetry.clock import STEP_MS_MAX, WallAnchor
from telemetry.ids import RANDOM_BITS, uuid7
from telemetry.measured import columns
from telemetry.meter import MeterResult
from telemetry.outcome import Flag
from telemetry.record import NO_TRACE, RequestRecord

_DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Dimensions:
    """Configured names of an endpoint.

    Attributes:
        endpoint: Name of the endpoint.
        region: Region; empty if not set.
        workload_class: Class of the workload; empty if not set.
        variant: Release or canary arm; empty if not set.
    """

    endpoint: str
    region: str = ""
    workload_class: str = ""
    variant: str = ""


@dataclass(slots=True, kw_only=True)
class Seen:
    """What the wire told of an exchange, beyond its measures.

    Attributes:
        t_issue_ns: First byte of the request head, monotonic.
        model: As the request named it; None if the request was not read.
        trace_id: 16 bytes.
        flow_id: Number of the workflow or batch job; None if the request names none.
        workload_class: As the request named it; empty leaves what is configured.
        attempt: 1 for a first attempt.
        replica: Address of the upstream; empty if not known.
        bytes_in: Request bytes on the wire.
        bytes_out: Response bytes on the wire.
        flags: Bits of `telemetry.outcome.Flag` that the meter cannot know.
    """

    t_issue_ns: int
    model: str | None = ""
    trace_id: bytes = NO_TRACE
    flow_id: int | None = None
    workload_class: str = ""
    attempt: int = 1
    replica: str = ""
    bytes_in: int = 0
    bytes_out: int = 0
    flags: int = 0


class Rows:
    """Makes the rows of one endpoint.

    Attributes:
        clock_steps: How often the wall clock was found to have stepped.
    """

    def __init__(self, dimensions: Dimensions, labels: Labels, *, random: Random, anchor: WallAnchor) -> None:
        self.clock_steps = 0
        self._dimensions = dimensions
        self._labels = labels
        self._random = random
        self._anchor = anchor
        self._stepped_at_ns: int | None = None

    @property
    def dimensions(self) -> Dimensions:
        """Configured names of the endpoint."""
        return self._dimensions

    @property
    def folded(self) -> Mapping[str, int]:
        """Names that were replaced by `unknown` or `other`, by dimension."""
        return self._labels.folded

    def check_clock(self, now: WallAnchor) -> WallAnchor | None:
        """Compare the wall clock; after a step later rows stand on the new anchor, open ones are suspect.

        Returns:
            The anchor that held until now; None if the clock did not step.
        """
        before = self._anchor
        if abs(before.step_ms(now)) <= STEP_MS_MAX:
            return None
        self.clock_steps += 1
        self._anchor = now
        self._stepped_at_ns = now.at_ns
        return before

    def record(self, result: MeterResult, seen: Seen) -> RequestRecord:
        """Make the row of a finished exchange."""
        ended_at = self._anchor.unix_ms_at(result.decided_at_ns)
        measured = columns(result)
        measured["flags"] |= seen.flags | self._clock_flag(seen.t_issue_ns)
        return RequestRecord(
            ended_at=ended_at,
            **self._dims(result, seen, ended_at // _DAY_MS)._asdict(),
            replica=self._labels.replica(seen.replica),
            record_id=uuid7(ended_at, self._random.getrandbits(RANDOM_BITS)),
            trace_id=seen.trace_id,
            flow_id=seen.flow_id,
            attempt=seen.attempt,
            bytes_in=seen.bytes_in,
            bytes_out=seen.bytes_out,
            **measured,
        )

    def _dims(self, result: MeterResult, seen: Seen, day: int) -> Dims:
        names = self._dimensions
        dims = Dims(
            endpoint=names.endpoint,
            model=UNKNOWN if seen.model is None else self._labels.model(seen.model, http_status=result.http_status),
            region=names.region,
            workload_class=seen.workload_class or names.workload_class,
            variant=names.variant,
            traffic="user",
        )
        return self._labels.combination(dims, day)

    def _clock_flag(self, t_issue_ns: int) -> int:
        is_suspect = self._stepped_at_ns is not None and t_issue_ns <= self._stepped_at_ns
        return Flag.CLOCK_SUSPECT if is_suspect else 0
