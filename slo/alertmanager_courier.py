"""Knows how one instance of an Alertmanager is told what stands, again and again; refuses to wait between tries.

It needs no queue: what stands is told whole each minute and at once when it changes, so a round that was missed is made
up by the next. A round that is refused is cut in halves until what is refused is found alone; that one is counted and
left out for as long as it stands, and all others are heard. Who refuses everything is tried again.

Source: spec/slo.md 11 (every instance, resend 60 s, a 400 may mean one invalid alert: bisect).
"""

from collections import deque
from collections.abc import Sequence
from random import Random

from slo.alertmanager_body import RESEND_S
from slo.channels import Channel, Result, Verdict
from slo.courier import IDLE_S, Clock
from slo.notice import Notice
from slo.posts import ALERTS_MAX, alertmanager_post, chunks
from slo.sender import Sender
from slo.target import Target, Tries


class AlertmanagerCourier:
    """Tells one instance what stands; run by one task.

    Args:
        channel: The Alertmanager.
        instance: Which of its URLs.
        sender: What sends.
        now: The clocks.
        random: Source of the jitter.
        step_s: Time between two evaluations.
    """

    def __init__(
        self, *, channel: Channel, instance: int, sender: Sender, now: Clock, random: Random, step_s: int
    ) -> None:
        self._channel, self._url, self._sender, self._now = channel, channel.urls[instance], sender, now
        self._step_s = step_s
        self._tries = Tries(Target(channel=channel.name, instance=instance), random)
        self._standing: dict[str, Notice] = {}
        self._told_keys: frozenset[str] = frozenset()
        self._told_at_s: float | None = None
        self._refused: frozenset[str] = frozenset()

    @property
    def target(self) -> Target:
        """How the instance fares."""
        return self._tries.target

    def failed(self, why: str) -> None:
        """Take note of a failure of our own."""
        self._tries.failed(self._now.elapsed_s(), why)

    def stand(self, notices: Sequence[Notice]) -> None:
        """Take what stands now instead of what stood before; what is not for this receiver is passed over."""
        self._standing = {notice.key: notice for notice in notices if self._channel.takes(notice.labels)}
        self._refused &= self._standing.keys()

    async def round(self) -> float:
        """Tell what stands if that is due.

        Returns:
            Seconds until the next round is worth while, if nothing changes before.
        """
        now_s = self._now.elapsed_s()
        if (wait_s := self._tries.wait_s(now_s)) > 0:
            return wait_s
        standing = {key: notice for key, notice in self._standing.items() if key not in self._refused}
        if not standing:
            return IDLE_S
        if standing.keys() <= self._told_keys and self._told_at_s is not None:
            wait_s = self._told_at_s + RESEND_S - now_s
            if wait_s > 0:
                return wait_s
        refused, failure = await self._tell(list(standing.values()))
        if failure is None and len(refused) == len(standing):  # it is not the alerts that are wrong
            failure = Verdict(result=Result.RETRY, why="refused everything")
        if failure is not None:
            self._tries.failed(self._now.elapsed_s(), failure.why, retry_after_s=failure.retry_after_s)
            return self._tries.wait_s(self._now.elapsed_s())
        self._refused |= refused
        self._told_keys, self._told_at_s = frozenset(standing), now_s
        self._tries.heard(len(standing) - len(refused), now_s, given_up=sorted(refused))
        return 0.0

    async def _tell(self, notices: Sequence[Notice]) -> tuple[frozenset[str], Verdict | None]:
        """Tell all of them; return the keys of those that were refused, and what ended it before all were told."""
        parts = deque(chunks(notices, ALERTS_MAX))
        refused: set[str] = set()
        while parts:
            part = parts.popleft()
            now_s = self._now.wall_s()
            post = alertmanager_post(self._channel, self._url, part, int(now_s), step_s=self._step_s)
            verdict = await self._sender.send(self._channel.kind, post, self._channel.policy, now_s)
            if verdict.result is Result.RETRY:
                return frozenset(refused), verdict
            if verdict.result is Result.REFUSED and len(part) == 1:
                refused.add(part[0].key)
            elif verdict.result is Result.REFUSED:
                half = (len(part) + 1) // 2
                parts.extendleft([part[half:], part[:half]])
        return frozenset(refused), None
