"""Knows how the hints of a running `inferometer` are asked for and printed, and how it is told of acts; makes none.

Source: spec/scaling.md 2 (routes); design.md (outputs, exit codes).
"""

import asyncio
import json
import sys
from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import quote, urlencode

from inferometer import ask
from inferometer.address import Address
from inferometer.config_schema import Config
from inferometer.errors import ConfigurationError, UnreachableError
from inferometer.listing import show
from inferometer.report_tables import printable
from inferometer.slo_gate import address
from telemetry import guard
from telemetry.fetch import Client
from telemetry.fetch_error import FetchError

WAIT_S = 10.0
"""Longest wait for an answer."""
ANSWER_BYTES_MAX = 4 << 20
BRIEF = ("target", "action", "spec", "ready", "desired", "confidence", "why", "seq")
"""What fits on a screen of a hint."""
NAMES = (
    *BRIEF[:5], "warming", *BRIEF[5:], "level", "mode", "issued_at", "expires_at", "id", "lead_s", "lead_basis",
    "cold_start",
)  # fmt: skip
PAST = ("issued_at", "seq", "action", "spec", "desired", "why", "demand_actual", "p95_held", "gpu_h_delta", "applied")
PROPOSED = ("text", "cron", "duration_s", "expected_rps", "rise_ratio", "held", "days", "yaml")
_OK, _FAULT, _UNAVAILABLE = 200, 400, 500
Json = dict[str, Any]


def run(config: Config, target: str | None, url: str | None, output: str) -> int:
    """Print the last hint of every target, or of one.

    Raises:
        ConfigurationError: The URL is none, or there is no such target.
        UnreachableError: Nobody answers, or nobody who knows.
    """
    where = address(config, url)
    hints = last(where) if target is None else [_asked(where, f"/v1/hints/{_quoted(target)}")]
    if output == "json":
        sys.stdout.write("".join(json.dumps(hint) + "\n" for hint in hints))
    else:
        show([row(hint) for hint in hints], BRIEF if output == "table" else NAMES, "scaling hints", output)
    if output == "table" and target is not None:
        sys.stdout.write("".join(f"{printable(line)}\n" for line in lead(hints[0])))
    return 0


def last(where: Address) -> list[Json]:
    """Return the last hint of every target.

    Raises:
        ConfigurationError: That is asked of somebody else.
        UnreachableError: Nobody answers, or nobody who knows.
    """
    return cast("list[Json]", _asked(where, "/v1/hints").get("hints", []))


def history(config: Config, target: str, since: str | None, url: str | None, output: str) -> int:
    """Print past hints of a target, newest first, with their scores.

    Raises:
        ConfigurationError: The URL is none, there is no such target, or the time is none.
        UnreachableError: Nobody answers, or nobody who knows.
    """
    query = "" if since is None else "?" + urlencode({"from": since})
    found = _asked(address(config, url), f"/v1/hints/{_quoted(target)}/history{query}")
    rows = [past_row(one) for one in cast("list[Json]", found["hints"])]
    show(rows, PAST, f"hints of {printable(target)}", output)
    return 0


def proposals(config: Config, target: str, url: str | None, output: str) -> int:
    """Print schedules that the past days of a target suggest: as YAML to copy, or as rows.

    Raises:
        ConfigurationError: The URL is none, or there is no such target.
        UnreachableError: Nobody answers, or nobody who knows.
    """
    found = _asked(address(config, url), f"/v1/hints/{_quoted(target)}/proposals")
    rows = cast("list[Json]", found["proposals"])
    if output != "table":
        show(rows, PROPOSED, f"schedules for {printable(target)}", output)
        return 0
    about = f"{found['days']} days were seen, {found['days_needed']} are needed"
    lines = [f"# {printable(target)}: {about}; nothing here is applied by itself"]
    for one in rows:
        lines += [f"# {printable(str(one['text']))}", f"  {printable(str(one['yaml']))}"]
    lines[1:1] = ["schedules:"] if rows else ["# no peak comes again at the same time"]
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


def tell(config: Config, target: str, end: str, body: Mapping[str, object], url: str | None) -> int:
    """Tell of something that was done, and print what is kept of it.

    Args:
        config: Names the data directory.
        target: Of which target.
        end: `ack`, `replicas` or `freeze`.
        body: What the route takes.
        url: Whom to tell; None for what runs on the data directory.

    Raises:
        ConfigurationError: It is refused.
        UnreachableError: Nobody answers, or nobody who can keep it.
    """
    where = address(config, url)
    kept = asyncio.run(_posted(where, "POST", f"/v1/hints/{_quoted(target)}/{end}", body))
    sys.stdout.write(json.dumps(kept) + "\n")
    return 0


def thaw(config: Config, target: str, who: str, reason: str, url: str | None) -> int:
    """End a freeze, and print what is kept of it.

    Raises:
        ConfigurationError: There is none.
        UnreachableError: Nobody answers, or nobody who can keep it.
    """
    query = urlencode({"who": who, "reason": reason})
    kept = asyncio.run(_posted(address(config, url), "DELETE", f"/v1/hints/{_quoted(target)}/freeze?{query}", None))
    sys.stdout.write(json.dumps(kept) + "\n")
    return 0


def row(hint: Json) -> Mapping[str, object]:
    """Return a hint as one row."""
    replicas, trust = hint["replicas"], hint["confidence"]
    return {
        "target": hint["target"]["name"],
        **{name: replicas[name] for name in ("spec", "ready", "desired", "warming")},
        **{name: hint[name] for name in ("action", "mode", "seq", "issued_at", "expires_at", "id")},
        "confidence": round(trust["score"], 2),
        "level": trust["level"],
        "why": why(hint),
        "lead_s": round(hint["forecast"]["lead_s"], 1),
        "lead_basis": hint["forecast"]["lead_basis"],
        "cold_start": cold_start(hint),
    }


def lead(hint: Json) -> list[str]:
    """Return how long a replica takes, and how long its phases took, as lines for people."""
    of, phases = hint["forecast"], cold_start(hint)
    return [f"a replica takes {of['lead_s']:.0f} s: {of['lead_basis']}", *([f"P50/P90: {phases}"] if phases else [])]


def cold_start(hint: Json) -> str:
    """Return how long starts took, P50 and P90 of each phase that is known; empty if none is.

    A hint that was made before starts were kept has no part about them.
    """
    of: Json = hint.get("cold_start") or {}
    phases: Json = of.get("phases", {})
    told = [f"{name} {took['p50_s']:.0f}/{took['p90_s']:.0f} s of {took['n']}" for name, took in phases.items()]
    slower: Json = of.get("regression") or {}
    return "; ".join([", ".join(told), *([str(slower["text"])] if slower else [])])


def line(hint: Json) -> str:
    """Return a hint as one line for people."""
    of = row(hint)
    reason = f"; {of['why']}" if of["why"] else ""
    return printable(f"hint {of['target']}: {of['action']}, {of['spec']} -> {of['desired']} replicas{reason}")


def why(hint: Json) -> str:
    """Return what decided, else what speaks against fewer; empty if nothing does."""
    binding = [str(one["text"]) for one in hint["reasons"] if one["binding"]]
    return "; ".join(binding or [str(one["code"]) for one in hint["vetoes"]])


def past_row(one: Json) -> Mapping[str, object]:
    """Return a past hint and its score as one row."""
    hint = one["hint"]
    score: Json = one["score"] or {}
    scored: Json = {name: score.get(name) for name in ("demand_actual", "p95_held", "gpu_h_delta", "applied")}
    return {**row(hint), **scored}


def _quoted(target: str) -> str:
    return quote(target, safe="")


def _asked(where: Address, path: str) -> Json:
    try:
        answer = ask.get(where, path, wait_s=WAIT_S)
    except OSError as error:
        raise UnreachableError(f"hints: {where.url} does not answer: {error}") from None
    return _good(where, answer.status, answer.body)


async def _posted(where: Address, method: str, path: str, body: Mapping[str, object] | None) -> Json:
    try:
        async with Client() as client:
            answer = await client.fetch(
                method,
                f"{where.url}{path}",
                policy=guard.ENGINE,
                total_s=WAIT_S,
                bytes_max=ANSWER_BYTES_MAX,
                headers={"Content-Type": "application/json"} if body is not None else {},
                body=None if body is None else json.dumps(body).encode(),
            )
    except FetchError as error:
        raise UnreachableError(f"hints: {where.url} does not answer: {error}") from None
    return _good(where, answer.status, answer.body)


def _good(where: Address, status: int, body: bytes) -> Json:
    try:
        found: object = json.loads(body)
    except ValueError:
        found = None
    told = cast("Json", found) if isinstance(found, dict) else {}
    if _OK <= status < _OK + 100 and told:
        return told
    said = printable(str(told.get("detail", f"status {status}")))
    if _FAULT <= status < _UNAVAILABLE and "detail" in told:
        raise ConfigurationError(f"hints: {said}")
    raise UnreachableError(f"hints: {where.url} cannot say: {said}")
