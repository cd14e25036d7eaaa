"""Knows how an engine's page of metrics is fetched, again and again; refuses to know what stands on it.

Which path is asked depends on what the engine is (`detect`), so an unknown engine is first asked that. A scrape that
fails is a row that says `up` 0 and nothing else, so a gap is never a zero; why it failed is counted, and told when it
changes. What was detected is detected again after a restart, and after a page that cannot be the engine's.

Source: spec/measurement.md 15 (T1, T2, T3: 5 s, 32 MiB, identity, no redirects).
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from probes.aliases import Engine
from probes.detect import METRICS_PATHS, Answer, Detected, detect
from probes.errors import PageError, PageFault, ProbesError
from probes.normalise import Before, Normalised, Scrape, normalise
from probes.page import Page, Reader
from probes.page_filter import PAGE_BYTES_MAX
from telemetry import clock, guard
from telemetry.fetch import Client, Fetched
from telemetry.fetch_error import Fault, FetchError
from telemetry.samples import EngineHistogram, EngineSample

SCRAPE_S_MAX = 5.0
"""Longest time for one page."""
QUESTION_S_MAX = 2.0
"""Longest time for one question of the detection."""
ACCEPT = "text/plain;version=0.0.4"
"""Asked for, because the newer format renames metrics."""

ENGINE_UNKNOWN = "engine_unknown"
"""Why a scrape failed: somebody answers, and does not tell what it is."""

Row = EngineSample | EngineHistogram

_TEXT = frozenset({"", "text/plain"})
_ANY_ENGINE = frozenset({"process_start_time_seconds", "http_requests"})
_STALE = frozenset({PageFault.STATUS.value, PageFault.CONTENT_TYPE.value, PageFault.NOTHING_KNOWN.value})
_OK = 200
_REDIRECTS = range(300, 400)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One engine.

    Attributes:
        url: Where it listens, without a path.
        endpoint: Configured name of the endpoint that it serves.
        replica: Its address or pod.
        engine: Which engine it is; None to find out.
        models: Names that may be shown, beside those that it lists itself.
        headers: Sent with each question, for example a key.
        policy: Where its name may lead.
    """

    url: str
    endpoint: str
    replica: str
    engine: Engine | None = None
    models: tuple[str, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    policy: guard.Policy = guard.ENGINE


class EngineProbe:
    """Scrapes one engine.

    Attributes:
        name: For counters and logs.
        interval_s: Start of a scrape to start of the next.
        limit_s: Longest scrape, detection included.
        detected: What the engine is; None before it was asked.
        last: What the last page that could be read says; None if there was none.
        failures: Scrapes that failed, by reason.
        why: Why the last scrape failed; empty if it did not.

    Args:
        target: The engine.
        client: Asks.
        interval_s: Start of a scrape to start of the next.
        scrape_s: Longest time for one page.
        tell: Takes one line whenever scrapes begin or cease to fail, or fail for another reason.
    """

    def __init__(
        self,
        target: Target,
        client: Client,
        *,
        interval_s: float = 10.0,
        scrape_s: float = SCRAPE_S_MAX,
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.name = f"engine_metrics:{target.endpoint}/{target.replica}"
        self.interval_s = interval_s
        self.limit_s = 30.0
        self.detected: Detected | None = None
        self.last: Normalised | None = None
        self.failures: Counter[str] = Counter()
        self.why = ""
        self._target = target
        self._client = client
        self._scrape_s = scrape_s
        self._tell = tell
        self._reader: Reader | None = None
        self._before: Before | None = None

    async def ask(self) -> Sequence[Row]:
        """Scrape once."""
        try:
            engine, path = await self._known()
            fetched = await self._page(path)
            if self._reader is None or self._reader.engine is not engine:
                self._reader = Reader(engine)
            page = await asyncio.to_thread(self._reader.read, fetched.body)  # a hostile page takes seconds
            _knows(page)
        except (FetchError, PageError) as error:
            return self._gap(error.kind.value)
        except _UnknownEngineError as error:
            return self._gap(str(error))
        return self._told(page, engine, fetched.elapsed_us)

    def failed(self, reason: str) -> Sequence[Row]:
        """Return the row of a scrape that was ended from outside."""
        return self._gap(reason)

    async def _known(self) -> tuple[Engine, str]:
        """Return which engine it is and where its page is; find out if that is not known."""
        if self.detected is None:
            self.detected = await detect(self._answer)
        engine = self._target.engine or self.detected.engine
        if engine is None:
            reason = self.detected.fault.value if self.detected.fault else ENGINE_UNKNOWN
            self.detected = None
            raise _UnknownEngineError(reason)
        found = self.detected.metrics_path if engine is self.detected.engine else None
        return engine, found or METRICS_PATHS[engine]

    async def _answer(self, path: str) -> Answer:
        fetched = await self._fetched(path, QUESTION_S_MAX, f"{ACCEPT}, */*;q=0.5")
        return Answer(status=fetched.status, body=fetched.body)

    async def _page(self, path: str) -> Fetched:
        fetched = await self._fetched(path, self._scrape_s, ACCEPT)
        if fetched.status in _REDIRECTS:
            raise FetchError(Fault.REDIRECT, f"{path} points elsewhere")
        if fetched.status != _OK:
            raise PageError(PageFault.STATUS)
        if fetched.headers.get("content-type", "").partition(";")[0].strip().lower() not in _TEXT:
            raise PageError(PageFault.CONTENT_TYPE)
        return fetched

    async def _fetched(self, path: str, total_s: float, accept: str) -> Fetched:
        return await self._client.fetch(
            "GET",
            self._target.url.rstrip("/") + path,
            policy=self._target.policy,
            total_s=total_s,
            bytes_max=PAGE_BYTES_MAX,
            headers={**self._target.headers, "Accept": accept},
        )

    def _told(self, page: Page, engine: Engine, scrape_us: int) -> Sequence[Row]:
        detected = self.detected or Detected()
        scrape = Scrape(
            ts=clock.wall_ms(),
            endpoint=self._target.endpoint,
            replica=self._target.replica,
            engine=engine,
            scrape_us=scrape_us,
            version=detected.version,
            models=tuple(dict.fromkeys((*detected.models, *self._target.models))),
        )
        self.last = normalise(page, scrape, self._before)
        self._before = self.last.after
        if self.last.sample.reset:
            self.detected = None  # another version, or other models, may have come
        self._changed("")
        return [self.last.sample, *self.last.histograms]

    def _gap(self, reason: str) -> Sequence[Row]:
        self.failures[reason] += 1
        engine = self._target.engine or (self.detected.engine if self.detected else None)
        if reason in _STALE:
            self.detected = None
        self._changed(reason)
        return [
            EngineSample(
                ts=clock.wall_ms(),
                endpoint=self._target.endpoint,
                replica=self._target.replica,
                engine=engine.value if engine else "",
                up=0,
                scrape_us=0,
            )
        ]

    def _changed(self, why: str) -> None:
        if why != self.why:
            self._tell(f"{self.name}: {why}" if why else f"{self.name}: scraped again")
        self.why = why


class _UnknownEngineError(ProbesError):
    """It is not known what to ask."""


def _knows(page: Page) -> None:
    """Raise PageError unless a page names something of the engine's own."""
    if not page.names.keys() - _ANY_ENGINE:
        raise PageError(PageFault.NOTHING_KNOWN)
