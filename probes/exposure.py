"""Knows how to ask an engine who may do what, slowly and without doing it; refuses to judge the answers.

It sends no key and no body, GET only to what is known to be read-only, OPTIONS to everything else, one question after
the other. Of an answer only the head is taken.

Source: spec/reliability.md 15.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from probes import exposure_rules
from probes.exposure_findings import Finding, Presence, Reply, Summary, findings, presence, rows
from probes.exposure_rules import CONTROL, Path, Severity
from telemetry.clock import monotonic_ns, wall_ms
from telemetry.fetch import Client
from telemetry.fetch_error import FetchError
from telemetry.guard import ENGINE, Policy
from telemetry.samples import ProbeResult

PER_S = 1.0
"""Questions a second."""
WAIT_S = 2.0
"""Longest wait for the head of one answer."""
SILENT_MAX = 3
"""Questions in a row without an answer after which an audit ends."""
_EVERY_S = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """What an audit found.

    Attributes:
        found: What is open, the worst first.
        summary: How it went as a whole.
    """

    found: tuple[Finding, ...]
    summary: Summary

    @property
    def high(self) -> int:
        """How many of the findings are of the worst kind."""
        return sum(one.severity is Severity.HIGH for one in self.found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How an audit goes about it.

    Attributes:
        per_s: Questions a second.
        wait_s: Longest wait for the head of one answer.
        short: Ask only for what is worst.
        policy: Where the target may be.
    """

    per_s: float = PER_S
    wait_s: float = WAIT_S
    short: bool = False
    policy: Policy = ENGINE


_USUAL = Options()


class Exposure:
    """An audit of one engine; a probe for the loop.

    Args:
        url: The engine; a path is left out.
        engine: Its name as detected; empty if it was not recognised.
        target: Name of it in the rows; empty: host and port.
        options: How to go about it.
    """

    def __init__(self, url: str, engine: str, *, target: str = "", options: Options = _USUAL) -> None:
        parts = urlsplit(url)
        self._base = f"{parts.scheme}://{parts.netloc}"
        self._engine, self._options = engine, options
        self._target = target or parts.netloc
        self._questions = list(exposure_rules.short(engine) if options.short else exposure_rules.paths(engine))
        self.name = f"exposure of {self._target}"
        self.interval_s = _EVERY_S
        self.limit_s = (len(self._questions) + 1) * (1 / options.per_s + options.wait_s)

    async def ask(self) -> Sequence[ProbeResult]:
        """Audit, and return a row for each finding and one for the whole."""
        audit = await self.audit()
        return rows(self._target, wall_ms(), audit.found, audit.summary)

    def failed(self, reason: str) -> Sequence[ProbeResult]:
        """Return the row that says that nothing is known."""
        return rows(self._target, wall_ms(), (), Summary(engine=self._engine, fault=reason))

    async def audit(self) -> Audit:
        """Ask everything and judge it."""
        began_ns = monotonic_ns()
        asked, control, fault = await self._asked()
        unknown = sum(presence(reply, control) is Presence.UNKNOWN for _, reply in asked if reply.method == "OPTIONS")
        summary = Summary(
            engine=self._engine,
            asked_n=sum(reply.status is not None for _, reply in asked),
            unknown_n=unknown,
            duration_us=(monotonic_ns() - began_ns) // 1000,
            fault=fault,
        )
        return Audit(found=tuple(findings(self._engine, asked, control)), summary=summary)

    async def _asked(self) -> tuple[list[tuple[Path, Reply]], Reply | None, str]:
        asked: list[tuple[Path, Reply]] = []
        async with Client() as client:
            control, fault = await self._reply(client, "OPTIONS", CONTROL)
            if fault:
                return [], None, fault
            silent = 0
            for method, path in self._questions:
                await asyncio.sleep(1 / self._options.per_s)
                reply, fault = await self._reply(client, method, path.path)
                asked.append((path, reply))
                silent = silent + 1 if fault else 0
                if silent == SILENT_MAX:
                    return asked, control, fault
        return asked, control, ""

    async def _reply(self, client: Client, method: str, path: str) -> tuple[Reply, str]:
        """Return the head of one answer, or an empty one and why there is none."""
        try:
            async with (
                asyncio.timeout(self._options.wait_s),
                client.stream(method, self._base + path, policy=self._options.policy, bytes_max=0) as answer,
            ):
                return Reply(method=method, path=path, status=answer.status, allow=_allowed(answer.headers)), ""
        except (FetchError, TimeoutError) as error:
            return Reply(method=method, path=path, status=None), str(
                error
            ) or f"no answer in {self._options.wait_s:g} s"


def _allowed(headers: Sequence[tuple[bytes, bytes]]) -> tuple[str, ...]:
    told = b",".join(value for name, value in headers if name.lower() == b"allow").decode("latin-1")
    return tuple(sorted(method.strip().upper() for method in told.split(",") if method.strip()))
