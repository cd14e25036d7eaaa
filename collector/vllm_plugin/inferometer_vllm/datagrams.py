"""Knows the bytes in which finished requests leave vLLM; refuses to know sockets and the engine's classes.

One datagram holds the requests that finished in one iteration, up to `ROWS_MAX`: a header, the model's name, then one
row each with its request id behind it. Little-endian. The other end is `collector/plugin_rows.py` of inferometer, which
takes this version and no other.

A fixed layout and not JSON, because it is packed in the event loop of vLLM's API server: 0.2 us a row against 1.6
(Python 3.11, 64 rows), and the reader needs no text of a float.

Source: vLLM 0.32, v1/metrics/stats.py (FinishedRequestStats, IterationStats).
"""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vllm.v1.metrics.stats import FinishedRequestStats

MAGIC = b"IFVR"
VERSION = 1
HEADER = struct.Struct("<4sBBHIIQd")
"""Magic, version, bytes of the model's name, rows, process id, engine index, rows dropped so far, unix time in s."""
ROW = struct.Struct("<bBddddIIi")
"""Finish reason, bytes of the request id; e2e, queued, prefill and decode in s; prompt, output and cached tokens."""
ROWS_MAX = 256
"""Most rows of a datagram, which has at most 46 KB then: a fifth of the usual send buffer."""
NAME_BYTES_MAX = 128
"""Longest model name and longest request id that are sent; the rest is cut off."""


@dataclass(frozen=True)
class Source:
    """Who sends.

    Attributes:
        pid: Process of vLLM's front end; there may be several.
        engine: Index of the engine among the data-parallel ones.
        model: Name under which the model is served.
    """

    pid: int
    engine: int
    model: str


def datagrams(
    finished: "Sequence[FinishedRequestStats]", source: Source, *, at_unix_s: float, dropped: int
) -> Iterator[tuple[bytes, int]]:
    """Yield each datagram with the number of its rows.

    Args:
        finished: Requests that finished in one iteration.
        source: Who sends.
        at_unix_s: When they finished, by the engine's wall clock.
        dropped: Rows that this source has not delivered since its start.

    Raises:
        struct.error: A number does not fit, so the engine's classes are not those of a supported version.
        AttributeError: Likewise, a field is missing.
    """
    model = _name(source.model)
    for at in range(0, len(finished), ROWS_MAX):
        part = finished[at : at + ROWS_MAX]
        out = bytearray(
            HEADER.pack(MAGIC, VERSION, len(model), len(part), source.pid, source.engine, dropped, at_unix_s)
        )
        out += model
        for one in part:
            out += _row(one)
        yield bytes(out), len(part)


def _row(one: "FinishedRequestStats") -> bytes:
    name = _name(one.request_id or "")
    return (
        ROW.pack(
            one.finish_reason,
            len(name),
            one.e2e_latency,
            one.queued_time,
            one.prefill_time,
            one.decode_time,
            one.num_prompt_tokens,
            one.num_generation_tokens,
            one.num_cached_tokens,
        )
        + name
    )


def _name(text: str) -> bytes:
    return text.encode("utf-8", "replace")[:NAME_BYTES_MAX]
