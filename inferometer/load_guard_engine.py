"""Knows how an engine is looked at before, during and behind a run; refuses to judge what it shows.

One look is one page of metrics. An engine that has none is asked once and then left alone: asking an unknown engine
what it is takes a dozen questions.

Source: spec/loadtest.md 11 (before start, during run), 12 (version, models, flags); spec/measurement.md 15 (limits).
"""

import asyncio
from collections.abc import Mapping
from ipaddress import ip_address
from threading import Event, Thread

from inferometer.address import Address
from inferometer.ask import get
from inferometer.engine_facts import decoded, differing, merged, of_page, of_server_info, text
from inferometer.load_guard_lines import Lines
from inferometer.load_key import Engine
from loadtest.environment import OPAQUE, Finding, State, When
from loadtest.environment_engine import Own, Watch, is_idle, queue, requests
from loadtest.line import addresses
from loadtest.target import target
from probes.aliases import Engine as Kind
from probes.aliases import key
from probes.engine_metrics import EngineProbe
from probes.engine_metrics import Target as Page
from probes.errors import PageError
from probes.page import Reader
from telemetry.clock import monotonic_ns, sleep
from telemetry.fetch import Client
from telemetry.samples import EngineSample

LOOK_S = 1.0
"""From one look to the next."""
SETTLE_S_MAX = 5.0
"""Longest wait behind a run for the engine to have counted everything."""
_STOP_S = 10.0
_KEPT = (
    "ts", "replica", "up", "running", "queued", "kv_used_ratio", "kv_used_ratio_max", "prompt_tokens_total",
    "generation_tokens_total", "preemptions_total", "prefix_hits_total", "prefix_queries_total",
)  # fmt: skip
_CACHE = key("vllm:cache_config_info")
_OK = 200


class EngineEye:
    """Looks at one engine; `before`, `began` and `ended` are called in this order, each once.

    Attributes:
        is_local: It listens on this machine.
        port: Where.
        facts: What it says of itself, at the start of a run.

    Args:
        url: The target.
        headers: Sent with each question.
        look_s: From one look to the next.
    """

    def __init__(self, url: str, headers: Mapping[str, str], look_s: float = LOOK_S) -> None:
        """Know where it is; nothing is asked yet."""
        self._look_s = look_s
        where = target(url)
        reached = [ip_address(place[0]) for _, place in addresses(where.place.host, where.place.port)]
        self.is_local = all(one.is_loopback for one in reached)
        self.port = where.place.port
        self.facts = Engine()
        self._is_hosted = where.place.scheme == "https" or any(one.is_global for one in reached)
        self._address = Address(host=where.place.host, port=where.place.port)
        self._base, self._headers, self._is_secure = where.base, headers, where.place.scheme == "https"
        url = f"{where.place.scheme}://{self._address}{where.base}"
        self._probe = EngineProbe(
            Page(url=url, endpoint=where.name, replica=where.name, headers=headers), Client(), interval_s=look_s
        )
        self._watch: Watch | None = None
        self._changed: tuple[str, ...] | None = None
        self._stop, self._thread = Event(), Thread(target=self._look_on, name="engine-eye", daemon=True)
        self._lines: Lines | None = None

    def before(self, idle_s: float) -> Finding:
        """Wait until it is idle, and say whether it is.

        Args:
            idle_s: Longest wait.
        """
        start_ns, last = monotonic_ns(), self._look()
        if not last.up:
            return self._unseen()
        while True:
            sleep(self._look_s)
            previous, last = last, self._look()
            waited_s = (monotonic_ns() - start_ns) / 1e9
            if is_idle(previous, last) is not False or waited_s >= idle_s:
                break
        self._watch, self.facts = Watch(last), self._said()
        return queue(previous, last, waited_s)

    def began(self, lines: Lines) -> None:
        """Look on while the run goes on; each look becomes a line."""
        if self._watch is not None:
            self._lines = lines
            self._thread.start()

    def ended(self) -> None:
        """Wait for the last counts, and ask once more what it is."""
        self.stop()
        if self._watch is None:
            return
        until_ns = monotonic_ns() + round(SETTLE_S_MAX * 1e9)
        last = self._taken(self._watch)
        while monotonic_ns() < until_ns:
            sleep(self._look_s / 2)
            previous, last = last, self._taken(self._watch)
            if is_idle(previous, last) is not False:
                break
        self._changed = differing(self.facts, self._said())

    def stop(self) -> None:
        """Look no longer."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(_STOP_S)

    def findings(self, own: Own) -> list[Finding]:
        """Return what is said of the run.

        Args:
            own: What we did to it.
        """
        return [] if self._watch is None else self._watch.findings(own, self._changed)

    def _look(self) -> EngineSample:
        """Fetch its page; a sample that is not up if there is none."""
        return next(row for row in asyncio.run(self._probe.ask()) if isinstance(row, EngineSample))

    def _look_on(self) -> None:
        watch, due_ns = self._watch, monotonic_ns()
        while watch is not None and not self._stop.is_set():
            self._taken(watch)
            due_ns = max(due_ns + round(self._look_s * 1e9), monotonic_ns())
            self._stop.wait((due_ns - monotonic_ns()) / 1e9)

    def _taken(self, watch: Watch) -> EngineSample:
        sample = self._look()
        watch.took(sample)
        if self._lines is not None:
            told: dict[str, object] = {name: getattr(sample, name) for name in _KEPT}
            self._lines.add(monotonic_ns(), told | {"requests": requests(sample)})
        return sample

    def _unseen(self) -> Finding:
        if self._is_hosted:
            return OPAQUE
        return Finding(
            name="engine",
            when=When.BEFORE,
            state=State.UNKNOWN,
            found=f"no page of metrics ({self._probe.why})",
            allowed="a page of metrics",
        )

    def _said(self) -> Engine:
        """Return what it says of itself now; what it does not answer it does not say."""
        found = self._probe.detected
        if found is None or found.engine is None:
            return Engine()
        told = of_server_info(self._answer("/server_info?config_format=json"), found.engine)
        if found.engine is Kind.VLLM and found.metrics_path is not None:
            told = merged(told, self._of_page(found.metrics_path))
        version = self._version() or text(found.version)
        return merged(Engine(engine=found.engine.value, engine_version=version), told)

    def _version(self) -> str | None:
        """Return what `/version` says now: an engine that was exchanged need not have been detected again."""
        return text(decoded(self._answer("/version")).get("version"))

    def _of_page(self, path: str) -> Engine:
        try:
            page = Reader(Kind.VLLM).read(self._answer(path))
        except PageError:
            return Engine()
        return of_page([point.labels for point in page.points.get(_CACHE, ())], self._answer("/v1/models"))

    def _answer(self, path: str) -> bytes:
        try:
            answer = get(self._address, f"{self._base}{path}", headers=self._headers, is_secure=self._is_secure)
        except OSError:
            return b""
        return answer.body if answer.status == _OK else b""
