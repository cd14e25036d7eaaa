"""Knows how to tell what the engine is, what it shows, lacks and lets anybody do; asks as little as that takes.

Its metrics page is read where detection says that it is: on TensorRT-LLM, reading `/metrics` removes what is read.

Source: spec/ui.md 1.2 (checks), 1.1 (detection), 1.3 (switches); spec/reliability.md 15 (exposure).
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from inferometer import ask, doctor_flags, doctor_stream, engine
from inferometer.address import Address, target_address
from inferometer.config import secret
from inferometer.config_schema import Config
from inferometer.doctor_finding import Finding, Level, error, judged, note, ok, warn
from inferometer.doctor_flags import Seen, Stream
from inferometer.errors import UnreachableError
from probes.aliases import Engine
from probes.detect import Detected
from probes.exposure import PER_S, Exposure, Options
from probes.exposure_rules import Severity
from telemetry.clock import wall_ms

CLOCK_S_MAX = 2
"""Difference above which times of two machines should not be compared; the Date header has whole seconds."""
SHOWN_MAX = 3
"""Open paths that one line names."""
_OK = 200
_NOT_THERE = (404, 405, 501)
_ACCEPT = "text/plain;version=0.0.4"


@dataclass(frozen=True, slots=True, kw_only=True)
class Looks:
    """How closely to look.

    Attributes:
        stream: Ask for a token, which costs one.
        exposure: Look who may do what, by questions without a body.
        per_s: Such questions a second.
        privacy: Send two marked requests through the tee, and look for the marks (`doctor_privacy`).
    """

    stream: bool = False
    exposure: bool = True
    per_s: float = PER_S
    privacy: bool = False


def examine(config: Config, looks: Looks) -> Iterator[Finding]:
    """Look at the engine that the configuration names."""
    if config.target.url is None:
        yield note("target.reach", "no target given", "--target http://HOST:PORT")
        return
    address = target_address(config.target.url)
    key = secret(config.target.api_key, config.target.api_key_file, "target.api_key")
    found = engine.asked(address, key)
    if found is None:
        fault = UnreachableError(f"nobody answers at {config.target.url}")
        yield error("target.reach", fault, "start the engine, or correct target.url")
        return
    yield _reached(config.target.url, found)
    yield _recognised(found)
    yield from _shown(address, found, key, looks)
    if looks.exposure:
        yield _exposure(address, found, looks.per_s)


def _reached(url: str, found: Detected) -> Finding:
    if found.healthy is False:
        fault = UnreachableError(f"{url} answers, but /health says it is not well")
        return error("target.reach", fault, "look into the engine's log")
    return ok("target.reach", f"{url} answers, {'no /health' if found.healthy is None else '/health is 200'}")


def _recognised(found: Detected) -> Finding:
    what = f"{engine.name(found)} {found.version}".strip()
    if found.guarded:
        fix = "needs target.api_key_file to list the models; the tee itself needs no key"
        return warn("target.engine", f"{what} ({found.evidence}): /v1/models asks for a key", fix, found.evidence)
    models = ", ".join(found.models[:4]) or "none listed"
    return ok("target.engine", f"{what} ({found.evidence}), models: {models}", found.evidence)


def _shown(address: Address, found: Detected, key: str, looks: Looks) -> Iterator[Finding]:
    hello = _answer(address, "/health", key)
    yield _clock(hello)
    metrics = None
    if found.metrics_path:
        metrics = _metrics(address, found.metrics_path, key)
        yield _page(found.metrics_path, metrics)
    stream = None
    if looks.stream:
        stream, told = _stream(address, found, key)
        yield told
    if found.engine is None:
        yield note("target.flags", f"{engine.name(found)}: not an engine whose switches are known")
        return
    headers = None if hello is None else frozenset(hello.headers)
    yield from _flags(found.engine, Seen(metrics=metrics, headers=headers, stream=stream))


def _flags(known: Engine, seen: Seen) -> Iterator[Finding]:
    off = list(doctor_flags.off(known, seen))
    for switch in off:
        yield Finding(
            id="target.flags",
            level=Level.NOTE,
            finding=switch.missing,
            fix=switch.fix,
            unlocks=switch.unlocks,
            evidence=f"no {switch.name or switch.clue}",
        )
    if not off:
        yield ok("target.flags", f"{known}: nothing is seen to be switched off that could be on")


def _metrics(address: Address, path: str, key: str) -> frozenset[str] | None:
    answer = _answer(address, path, key, _ACCEPT)
    if answer is None or answer.status not in (_OK, *_NOT_THERE):
        return None
    return doctor_flags.on_page(answer.body.decode("utf-8", "replace")) if answer.status == _OK else frozenset()


def _page(path: str, metrics: frozenset[str] | None) -> Finding:
    if metrics is None:
        return warn("target.metrics", f"the metrics page {path} could not be read", "look into the engine's log")
    if not metrics:
        return note("target.metrics", f"there is no metrics page {path}", "see target.flags")
    return ok("target.metrics", f"{len(metrics)} metrics at {path}")


def _answer(address: Address, path: str, key: str, accept: str = "*/*") -> ask.Answer | None:
    headers = {"Accept": accept} | ({"Authorization": f"Bearer {key}"} if key else {})
    try:
        return ask.get(address, path, headers=headers)
    except OSError:
        return None


def _clock(answer: ask.Answer | None) -> Finding:
    try:
        date = answer.headers["date"] if answer else ""
        off_s = wall_ms() / 1000 - parsedate_to_datetime(date).timestamp()
    except (KeyError, ValueError):
        return note("clock.sync", "the engine does not tell its time")
    return judged(
        "clock.sync",
        f"off the engine's clock by {abs(off_s):.0f} s",
        "set both clocks by NTP; durations are right all the same",
        good=abs(off_s) <= CLOCK_S_MAX,
    )


def _stream(address: Address, found: Detected, key: str) -> tuple[Stream | None, Finding]:
    if not found.models:
        return None, note("target.stream", "no model is known to ask for a token", "set target.api_key_file")
    try:
        stream, told = asyncio.run(doctor_stream.look(address.url, found.models[0], key))
    except doctor_stream.StreamError as fault:
        return None, warn("target.stream", str(fault), "look into the engine's log")
    if told.chunks and told.done:
        return stream, ok("target.stream", "a stream of one token: output, then [DONE]")
    missing = "has no output" if told.done else "ends without [DONE]"
    return stream, warn("target.stream", f"a stream of one token {missing}", "look into the engine's log")


def _exposure(address: Address, found: Detected, per_s: float) -> Finding:
    more = f"everything: inferometer probe exposure {address.url}"
    audit = asyncio.run(Exposure(address.url, found.engine or "", options=Options(per_s=per_s, short=True)).audit())
    if audit.summary.fault:
        return note("target.exposure", f"could not be looked at: {audit.summary.fault}", more)
    high = [one for one in audit.found if one.severity is Severity.HIGH]
    if not high:
        return ok("target.exposure", f"nothing that changes the engine is open, by a short look; {more}")
    named = "; ".join(f"{one.path} {one.allows}" for one in high[:SHOWN_MAX])
    told = f"open to anyone who reaches this port: {named}"
    return warn("target.exposure", told, f"{high[0].fix}; {more}", high[0].evidence)
