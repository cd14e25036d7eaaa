"""Knows how an exposure audit is told at a terminal and how it ends; refuses to ask or judge.

Source: spec/reliability.md 15; design.md (exit codes).
"""

import asyncio
import sys
from dataclasses import asdict
from urllib.parse import urlsplit

from inferometer.address import Address
from inferometer.errors import ConfigurationError, UnreachableError
from inferometer.listing import show
from probes.detect import Answer, detect
from probes.exposure import WAIT_S, Audit, Exposure, Options
from probes.exposure_rules import KEY_CHECKS
from telemetry.fetch import Client
from telemetry.fetch_error import FetchError
from telemetry.guard import ENGINE

GATE_FAILED = 3
"""Exit code when something is open that should not be."""
ANSWER_BYTES_MAX = 4 << 20
"""Longest answer that detection reads."""
COLUMNS = ("severity", "method", "path", "allows", "evidence", "fix")
_PORTS = {"http": 80, "https": 443}


def run(url: str, engine: str | None, output: str, per_s: float) -> int:
    """Audit an engine, print what is open, and return the exit code.

    Args:
        url: The engine, http or https; a path is left out.
        engine: Which one it is; None looks.
        output: Format on stdout.
        per_s: Questions a second.

    Raises:
        ConfigurationError: The URL is none, or the engine is not known.
        UnreachableError: It does not answer.
    """
    address = _address(url)
    if engine is not None and engine not in KEY_CHECKS:
        raise ConfigurationError(f"--engine: found {engine!r}; allowed: {', '.join(KEY_CHECKS)}")
    audit = asyncio.run(_audited(url, engine, str(address), per_s))
    if audit.summary.fault:
        raise UnreachableError(f"{url}: {audit.summary.fault}")
    show([asdict(one) for one in audit.found], COLUMNS, f"Open to anyone who reaches {address}", output)
    sys.stderr.write(_told(audit) + "\n")
    return GATE_FAILED if audit.high else 0


def _told(audit: Audit) -> str:
    told = audit.summary.detail()
    unknown = f", {told['unknown']} of which tell nothing" if audit.summary.unknown_n else ""
    return (
        f"{told['engine']}, by the rules of {told['rules']}: {told['asked']} answers{unknown}; "
        f"{len(audit.found)} findings, {audit.high} of them high"
    )


def _address(url: str) -> Address:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in _PORTS or not parts.hostname or parts.username is not None:
        raise ConfigurationError(f"found {url!r}; allowed: http://HOST:PORT or https://HOST:PORT")
    return Address(host=parts.hostname, port=_PORTS[parts.scheme] if port is None else port)


async def _audited(url: str, engine: str | None, target: str, per_s: float) -> Audit:
    name = engine or await _recognised(url)
    return await Exposure(url, name, target=target, options=Options(per_s=per_s)).audit()


async def _recognised(url: str) -> str:
    parts = urlsplit(url)
    faults: list[FetchError] = []
    async with Client() as client:

        async def ask(path: str) -> Answer:
            try:
                got = await client.fetch(
                    "GET",
                    f"{parts.scheme}://{parts.netloc}{path}",
                    policy=ENGINE,
                    total_s=WAIT_S,
                    bytes_max=ANSWER_BYTES_MAX,
                    headers={"Accept": "text/plain;version=0.0.4, */*;q=0.5"},
                )
            except FetchError as fault:
                faults.append(fault)
                raise
            return Answer(status=got.status, body=got.body)

        found = await detect(ask)
    if not found.reached:
        raise UnreachableError(f"{url}: {faults[0]}")
    return found.engine or ""
