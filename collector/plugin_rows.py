"""Knows the datagrams of the vLLM plugin and the rows they become; refuses to know sockets.

What a datagram says was measured inside the engine: by its clock, without the client's network, and without the time
that vLLM's API server takes before and after. The engine does not know who asked, so its rows stand apart as traffic
`engine`: every question of ours reads one kind of traffic, hence a request that the tee saw as well is never counted
twice, and percentiles of the two are never mixed.

ttft_us is the engine's queue and prefill together (`engine_scheduled`). trace_id is the 128-bit number in the request
id, which is that of the header X-Request-Id where the client or a gateway sends one: a request that carries its trace
id there can be joined with its row of the tee.

Source: spec/measurement.md 8 (provenance), 13 (vLLM); collector/vllm_plugin/inferometer_vllm/datagrams.py (layout).
"""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import NamedTuple

from collector.labels import Dims, Labels
from collector.rows import Dimensions
from telemetry.classify import Evidence, decide
from telemetry.ids import RANDOM_BITS, uuid7
from telemetry.outcome import Flag, TokSource, TokTimeQuality, TtftQuality, TtftSource
from telemetry.record import NO_TRACE, RequestRecord

DATAGRAM_BYTES_MAX = 64 * 1024
"""Longest datagram that is read; the plugin sends at most 46 KB."""
SENDERS_MAX = 64
"""Most senders whose losses are followed; the oldest gives way."""
DURATION_S_MAX = 4294.0
"""Longest duration that a column of microseconds holds; the engine's stamps make longer ones only of unset ones."""
LATE_MS_MAX = 86_400_000
"""Oldest end of a request that is believed, against our clock; rows wait in the plugin while nobody listens."""
EARLY_MS_MAX = 300_000
"""Furthest end in the future that is believed: both clocks are of one machine."""

_HEADER = struct.Struct("<4sBBHIIQd")
_ROW = struct.Struct("<bBddddIIi")
_MAGIC, _VERSION = b"IFVR", 1
_FINISHES = ("stop", "length", "abort", "error", "repetition")
_APIS = {"chatcmpl": "openai_chat", "cmpl": "openai_completions", "resp": "openai_responses"}
_CUT_SHORT = frozenset({"abort", "error"})
_ID = re.compile(r"(?<![0-9a-f])[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}(?![0-9a-f])", re.IGNORECASE)
_SUCCESS, _DAY_MS = 200, 86_400_000


class Finished(NamedTuple):
    """One row of a datagram, as the engine gave it; seconds on its clock."""

    reason: int
    name_bytes: int
    e2e_s: float
    queued_s: float
    prefill_s: float
    decode_s: float
    tokens_in: int
    tokens_out: int
    tokens_cached: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Datagram:
    """What one datagram says.

    Attributes:
        pid: Process of vLLM's front end.
        engine: Index of the engine among the data-parallel ones.
        model: Name under which the model is served.
        dropped: Rows that the sender could not deliver since its start.
        ended_at: When the requests ended, unix milliseconds by the engine's clock.
        rows: Each with its request id.
    """

    pid: int
    engine: int
    model: str
    dropped: int
    ended_at: int
    rows: tuple[tuple[Finished, str], ...]


def decoded(datagram: bytes, now_ms: int) -> Datagram:
    """Read a datagram.

    Args:
        datagram: As received.
        now_ms: Our wall clock, unix milliseconds.

    Raises:
        ValueError: It is none of this version, does not end where it says, or is not of this time.
    """
    try:
        magic, version, model_bytes, n_rows, pid, engine, dropped, at_s = _HEADER.unpack_from(datagram)
        if (magic, version) != (_MAGIC, _VERSION):
            raise ValueError("not a datagram of this version")
        at = _HEADER.size + model_bytes
        model = datagram[_HEADER.size : at].decode(errors="replace")  # cut at a number of bytes
        rows = tuple(_rows(datagram, at, n_rows))
        ended_at = int(at_s * 1000)
    except (struct.error, OverflowError) as error:
        raise ValueError(str(error)) from error
    if not -LATE_MS_MAX <= ended_at - now_ms <= EARLY_MS_MAX:
        raise ValueError("not of this time")
    return Datagram(pid=pid, engine=engine, model=model, dropped=dropped, ended_at=ended_at, rows=rows)


class PluginRows:
    """Makes the rows of one endpoint.

    Args:
        dimensions: Configured names.
        labels: Names that may become labels; not those of the tee, so that no plugin can crowd them out.
        random: For record ids.

    Attributes:
        taken: Rows made.
        malformed: Datagrams that were none.
        lost: Rows that plugins say they could not deliver.
    """

    def __init__(self, dimensions: Dimensions, labels: Labels, *, random: Random) -> None:
        self.taken = self.malformed = self.lost = 0
        self._dimensions = dimensions
        self._labels = labels
        self._random = random
        self._dropped: dict[tuple[int, int], int] = {}

    def records(self, datagram: bytes, now_ms: int) -> list[RequestRecord]:
        """Make the records of a datagram; none, and a count, if it is not one.

        Args:
            datagram: As received.
            now_ms: Our wall clock, unix milliseconds.
        """
        try:
            told = decoded(datagram, now_ms)
        except ValueError:
            self.malformed += 1
            return []
        self._follow(told)
        made = [self._record(told, one, name) for one, name in told.rows]
        self.taken += len(made)
        return made

    def _follow(self, told: Datagram) -> None:
        """Count what the sender lost since its last datagram; one that counts from 0 again has started anew."""
        sender = (told.pid, told.engine)
        before = self._dropped.pop(sender, 0)
        self.lost += told.dropped - (before if told.dropped >= before else 0)
        if len(self._dropped) >= SENDERS_MAX:
            del self._dropped[next(iter(self._dropped))]
        self._dropped[sender] = told.dropped

    def _record(self, told: Datagram, one: Finished, name: str) -> RequestRecord:
        api = _APIS.get(name.partition("-")[0].partition("_")[0], "http")
        reason, n_out = _FINISHES[one.reason], one.tokens_out
        terminal = reason not in _CUT_SHORT
        verdict = decide(
            Evidence(api=api, status=_SUCCESS, finishes=(reason,), terminal=terminal, output=n_out > 0, sent=True)
        )
        e2e_us, queue_us, prefill_us = _us(one.e2e_s), _us(one.queued_s), _us(one.prefill_s)
        has_first = n_out > 0 and queue_us is not None and prefill_us is not None
        ttft_us = _us(one.queued_s + one.prefill_s) if has_first else None
        tpot_us = _us(one.decode_s / (n_out - 1)) if n_out > 1 else None
        return RequestRecord(
            ended_at=told.ended_at,
            elapsed_us=e2e_us or 0,
            **self._dims(told)._asdict(),
            replica=self._labels.replica(f"engine-{told.engine}"),
            api=api,
            point="engine_log",
            record_id=uuid7(told.ended_at, self._random.getrandbits(RANDOM_BITS)),
            trace_id=_trace_id(name),
            outcome=verdict.outcome,
            phase=verdict.phase,
            origin=verdict.origin,
            finish_reason=reason,
            eligible=verdict.eligible,
            retryable=verdict.retryable,
            flags=Flag.CLOCK_SUSPECT if e2e_us is None else 0,
            e2e_us=e2e_us if terminal else None,
            ttft_us=ttft_us,
            tpot_us=tpot_us,
            srv_queue_us=queue_us,
            srv_prefill_us=prefill_us if has_first else None,
            srv_decode_us=_us(one.decode_s) if has_first else None,
            srv_mean_itl_us=tpot_us,
            tokens_in=one.tokens_in,
            tokens_out=n_out,
            tokens_cache_read=one.tokens_cached if one.tokens_cached >= 0 else None,
            ttft_source=TtftSource.ENGINE_SCHEDULED,
            ttft_quality=TtftQuality.NONE if ttft_us is None else TtftQuality.EXACT,
            tok_source=TokSource.TOKEN_IDS,
            tok_time_quality=TokTimeQuality.LUMP,
        )

    def _dims(self, told: Datagram) -> Dims:
        names = self._dimensions
        dims = Dims(
            endpoint=names.endpoint,
            model=self._labels.model(told.model, http_status=_SUCCESS),
            region=names.region,
            workload_class=names.workload_class,
            variant=names.variant,
            traffic="engine",
        )
        return self._labels.combination(dims, told.ended_at // _DAY_MS)


def _rows(datagram: bytes, at: int, n_rows: int) -> Iterator[tuple[Finished, str]]:
    for _ in range(n_rows):
        one = Finished._make(_ROW.unpack_from(datagram, at))
        at += _ROW.size + one.name_bytes
        if at > len(datagram) or not 0 <= one.reason < len(_FINISHES):
            raise ValueError("a row that no plugin of this version sends")
        yield one, datagram[at - one.name_bytes : at].decode(errors="replace")
    if at != len(datagram):
        raise ValueError("it does not end with its last row")


def _us(seconds: float) -> int | None:
    """Return microseconds; None for what was not measured: vLLM subtracts stamps that it may never have set."""
    return round(seconds * 1e6) if 0 <= seconds <= DURATION_S_MAX else None


def _trace_id(name: str) -> bytes:
    found = _ID.search(name)
    return bytes.fromhex(found[0].replace("-", "")) if found else NO_TRACE
