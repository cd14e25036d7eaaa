"""Knows how every channel is told that this is a test, and what it answered; refuses to know alerts.

The notice goes one way alone: no queue, no second try, no filter. PagerDuty is also told that it is over, so that
nobody has to close an incident; an Alertmanager ends it by itself.

Source: spec/slo.md 11 (`inferometer slo notify --test`); design.md (exit codes).
"""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from inferometer.channel_file import channels
from inferometer.config_schema import Config
from inferometer.errors import ConfigurationError
from inferometer.listing import show
from slo.channels import Channel, ChannelKind, Result, Verdict
from slo.dead_man import dead_man_post
from slo.identity import fingerprint
from slo.notice import Notice, Status
from slo.posts import Post, alertmanager_post, direct_post
from slo.sender import Sender
from telemetry.clock import wall_ms
from telemetry.fetch import Client

UNREACHABLE = 5
"""Exit status: a channel did not take it."""
COLUMNS = ("channel", "kind", "host", "said", "result", "why")
_LABELS = {"alertname": "InferometerTest", "service": "inferometer", "severity": "info", "slo": "inferometer-test"}
_WORDS = {"summary": "This is a test of a notification channel: nothing has happened."}
_STEP_S = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    channel: Channel
    said: Status
    post: Post


def run(config: Config, name: str | None, output: str) -> int:
    """Tell, print what came of it, and return the exit code.

    Args:
        config: Names the file of channels.
        name: Only this channel; None for all.
        output: As of `listing.show`.

    Raises:
        ConfigurationError: There is no file, no such channel, or something in the file is wrong.
    """
    if config.slo.channels is None:
        raise ConfigurationError("slo.channels: found nothing; allowed: the path of a file of notification channels")
    told = channels(Path(config.slo.channels).expanduser())
    chosen = [channel for channel in told if name in (None, channel.name)]
    if not chosen:
        raise ConfigurationError(f"found channel {name!r}; allowed: {', '.join(channel.name for channel in told)}")
    rows = tested(chosen, wall_ms() // 1000)
    show(rows, COLUMNS, "test notices", output)
    return 0 if all(row["result"] == Result.SENT.value for row in rows) else UNREACHABLE


def tested(chosen: Sequence[Channel], now_s: int) -> list[dict[str, object]]:
    """Tell channels that this is a test; returns what became of it, by `COLUMNS`, instance by instance."""
    lines = [line for channel in chosen for line in _lines(channel, now_s)]
    verdicts = asyncio.run(_all_said(lines, now_s))
    return [_row(*pair) for pair in zip(lines, verdicts, strict=True)]


def _lines(channel: Channel, now_s: int) -> Iterator[_Line]:
    begun = Notice(
        fingerprint=fingerprint(_LABELS),
        occurrence=now_s,  # a key that no receiver has seen
        status=Status.FIRING,
        n=0,
        starts_at_s=now_s,
        labels=_LABELS,
        annotations=_WORDS,
    )
    if channel.kind is ChannelKind.ALERTMANAGER:
        for url in channel.urls:
            yield _Line(
                channel=channel,
                said=begun.status,
                post=alertmanager_post(channel, url, [begun], now_s, step_s=_STEP_S),
            )
        return
    if channel.kind is ChannelKind.DEAD_MAN:
        yield _Line(channel=channel, said=begun.status, post=dead_man_post(channel, now_s))
        return
    yield _Line(channel=channel, said=begun.status, post=direct_post(channel, [begun], now_s, external_url=""))
    if channel.kind is ChannelKind.PAGERDUTY:
        over = replace(begun, status=Status.RESOLVED, ends_at_s=now_s)
        yield _Line(channel=channel, said=over.status, post=direct_post(channel, [over], now_s, external_url=""))


async def _all_said(lines: Sequence[_Line], now_s: int) -> list[Verdict]:
    """Tell all channels at once, each in the order of its lines."""
    sender = Sender(Client())
    found: dict[int, Verdict] = {}

    async def told(name: str) -> None:
        for at, line in enumerate(lines):
            if line.channel.name == name:
                found[at] = await sender.send(line.channel.kind, line.post, line.channel.policy, now_s)

    async with asyncio.TaskGroup() as group:
        for name in dict.fromkeys(line.channel.name for line in lines):
            group.create_task(told(name))
    return [found[at] for at in range(len(lines))]


def _row(line: _Line, verdict: Verdict) -> dict[str, object]:
    return {
        "channel": line.channel.name,
        "kind": line.channel.kind.value,
        "host": urlsplit(line.post.url).hostname,  # what follows it may be a secret
        "said": line.said.value,
        "result": verdict.result.value,
        "why": verdict.why,
    }
