"""Knows how memory and KV use of a target are followed over hours; refuses to judge them.

Its page of metrics is fetched now and then, by a thread of its own; what it does not say is not known. At most
`SAMPLES_MAX` samples are kept: the time between two looks is that of the whole run over their number. A page that is
JSON is asked once and never again: TensorRT-LLM's is destroyed by reading.

Source: spec/loadtest.md 7 (soak: RSS, KV); spec/measurement.md 14 (names), 15 (T1, T2); prometheus_client 0.26
`ProcessCollector` (`process_resident_memory_bytes`).
"""

import re
from collections.abc import Mapping
from threading import Event, Thread
from types import TracebackType
from typing import Self

from inferometer.address import Address
from inferometer.ask import get
from loadtest.soak import Points
from loadtest.target import Target
from telemetry.clock import monotonic_ns

SAMPLES_MAX = 1_000
"""Most samples of a run."""
LOOK_S_MIN = 0.25
"""Least time between two looks."""
RSS, KV = "rss", "kv"
_NUMBER = rb"(?:\{[^}\n]*\})?\s+([0-9.eE+-]+)"
_LINES = {
    RSS: re.compile(rb"^process_resident_memory_bytes" + _NUMBER, re.MULTILINE),
    KV: re.compile(
        rb"^(?:ray_|kserve_)?(?:vllm[:_]kv_cache_usage_perc|vllm[:_]gpu_cache_usage_perc|sglang[:_]token_usage)"
        + _NUMBER,
        re.MULTILINE,
    ),
}
_ACCEPT = {"Accept": "text/plain;version=0.0.4"}
_OK = 200
_NS = 1e9
_STOP_S = 10.0


class Gauges:
    """Follows a target; use it as a context manager.

    Attributes:
        why: Why the last look showed no page; empty if it did.

    Args:
        where: The target.
        headers: Sent with each look; the key, where the target wants one.
        seconds: How long it is followed.
    """

    def __init__(self, where: Target, headers: Mapping[str, str], seconds: float) -> None:
        """Know where it is; nothing is asked yet."""
        self.why = ""
        self._headers = _ACCEPT | dict(headers)
        self._address = Address(host=where.place.host, port=where.place.port)
        self._path, self._is_secure = f"{where.base}/metrics", where.place.scheme == "https"
        self._look_s = max(LOOK_S_MIN, seconds / SAMPLES_MAX)
        self._samples: dict[str, list[tuple[int, float]]] = {RSS: [], KV: []}
        self._stop, self._thread = Event(), Thread(target=self._look_on, name="gauges", daemon=True)

    def __enter__(self) -> Self:
        """Begin to look."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Look no longer."""
        self._stop.set()
        self._thread.join(_STOP_S)

    def points(self, name: str, since_ns: int, window_ns: tuple[int, int]) -> Points:
        """Return (seconds after the start, value) within the measured part.

        Args:
            name: `rss` in bytes, or `kv` as a share.
            since_ns: Start of the plan, monotonic.
            window_ns: The measured part, after it.
        """
        first_ns, until_ns = (since_ns + edge_ns for edge_ns in window_ns)
        return [((at - since_ns) / _NS, value) for at, value in self._samples[name] if first_ns <= at < until_ns]

    def _look_on(self) -> None:
        while self._look():
            if self._stop.wait(self._look_s):
                return

    def _look(self) -> bool:
        """Take a sample; returns whether another look makes sense."""
        try:
            answer = get(self._address, self._path, headers=self._headers, is_secure=self._is_secure)
        except OSError as error:
            self.why = f"{error.strerror or error}"
            return True
        self.why = "" if answer.status == _OK else f"status {answer.status}"
        if answer.status == _OK:
            if answer.body.lstrip()[:1] in {b"[", b"{"}:
                self.why = "JSON, which is not asked for again"
                return False
            for name, value in read(answer.body).items():
                if len(self._samples[name]) < SAMPLES_MAX:
                    self._samples[name].append((monotonic_ns(), value))
        return True


def read(page: bytes) -> dict[str, float]:
    """Return what a page says: the sum of all processes' memory, and the fullest cache."""
    found: dict[str, float] = {}
    for name, line in _LINES.items():
        values = [value for text in line.findall(page) if (value := _number(text)) is not None]
        if values:
            found[name] = sum(values) if name == RSS else max(values)
    return found


def _number(text: bytes) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 <= value < float("inf") else None
