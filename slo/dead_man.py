"""Knows how a dead man's switch is told every minute that the engine lives; refuses to judge alerts.

It is told only while instants are evaluated, so that a process that hangs, or cannot keep what it finds, falls silent
as one that is gone does: who listens raises the alarm then. An engine that is blind lives; it says so by itself.

Source: spec/slo.md 11 (dead-man POST every 60 s).
"""

from random import Random

import msgspec

from slo.channels import Channel, Result
from slo.courier import IDLE_S, Clock
from slo.posts import Post
from slo.sender import Sender
from slo.target import Target, Tries

EVERY_S = 60.0
"""Time between two posts."""
ALIVE_STEPS = 4
"""Steps without an instant after which the engine is not said to live."""


def dead_man_post(channel: Channel, now_s: int) -> Post:
    """Return what tells a switch that the engine lives.

    Args:
        channel: The switch.
        now_s: Unix time.
    """
    (url,) = channel.urls
    headers = {"Content-Type": "application/json", "User-Agent": "inferometer"}
    if channel.secret:
        headers["Authorization"] = f"Bearer {channel.secret}"
    return Post(url=url, headers=headers, body=msgspec.json.encode({"status": "alive", "at": now_s}))


class DeadMan:
    """Tells one switch; run by one task.

    Args:
        channel: The switch.
        sender: What sends.
        now: The clocks.
        random: Source of the jitter.
        step_s: Time between two evaluations.
    """

    def __init__(self, *, channel: Channel, sender: Sender, now: Clock, random: Random, step_s: int) -> None:
        self._channel, self._sender, self._now = channel, sender, now
        self._alive_s = ALIVE_STEPS * step_s
        self._tries = Tries(Target(channel=channel.name), random)
        self._beat_s: float | None = None
        self._told_s: float | None = None

    @property
    def target(self) -> Target:
        """How the switch fares."""
        return self._tries.target

    def failed(self, why: str) -> None:
        """Take note of a failure of our own."""
        self._tries.failed(self._now.elapsed_s(), why)

    def beat(self) -> None:
        """Take note that an instant was evaluated; from any thread."""
        self._beat_s = self._now.elapsed_s()

    async def round(self) -> float:
        """Tell the switch if that is due and true.

        Returns:
            Seconds until the next round is worth while.
        """
        now_s = self._now.elapsed_s()
        if (wait_s := self._tries.wait_s(now_s)) > 0:
            return wait_s
        if self._beat_s is None or now_s - self._beat_s >= self._alive_s:
            return IDLE_S
        if self._told_s is not None and now_s - self._told_s < EVERY_S:
            return self._told_s + EVERY_S - now_s
        wall_s = self._now.wall_s()
        post = dead_man_post(self._channel, int(wall_s))
        verdict = await self._sender.send(self._channel.kind, post, self._channel.policy, wall_s)
        if verdict.result is not Result.SENT:
            self._tries.failed(self._now.elapsed_s(), verdict.why, retry_after_s=verdict.retry_after_s)
            return self._tries.wait_s(self._now.elapsed_s())
        self._told_s = now_s
        self._tries.heard(1, self._now.elapsed_s())
        return EVERY_S
