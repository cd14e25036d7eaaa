"""Knows how the queue of one channel is carried to its receiver, one try at a time; refuses to wait between tries.

A round makes at most one try and says when the next is worth while. The try is written down before it is made and
after, so who dies in between says the same again under its old key, once. Of several that share a lease one tries, and
the others drop what it has told. Waits are kept by the clock that never
steps, and in memory alone: a notice that waits in the ledger is due as soon as its receiver may be asked.

Source: spec/slo.md 11 (at least once, <= 1 duplicate, 24 h, Slack's grouping).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from slo.channels import Channel, ChannelKind, Result, Verdict
from slo.errors import LedgerError
from slo.lease import Lease
from slo.ledger import Item, Ledger
from slo.notice_steps import Tried
from slo.posts import GAP_S, GROUP_S, TOGETHER_MAX, direct_post, group_of
from slo.sender import Sender
from slo.target import Target, Tries
from telemetry import clock

TRIED_S_MAX = 86_400
"""A notice that failed and is older than this is given up."""
IDLE_S = 10.0
"""After this a queue is looked at again, though nobody said that something came."""
_LOOK_N = 256  # notices that are looked at together


@dataclass(frozen=True, slots=True)
class Clock:
    """The two clocks of a notifier.

    Attributes:
        wall_s: Unix time, for what is written down and sent.
        elapsed_s: Never steps, for waits.
    """

    wall_s: Callable[[], float] = lambda: clock.wall_ms() / 1e3
    elapsed_s: Callable[[], float] = lambda: clock.monotonic_ns() / 1e9


class Courier:
    """Carries what the ledger holds for one channel that is told of what happens; run by one task.

    Args:
        channel: Who is told.
        ledger: What is said.
        sender: What sends.
        now: The clocks.
        random: Source of the jitter.
        external_url: Where a person finds our own pages.
        lease: Says whether we are the one that sends; None if there is no other.
    """

    def __init__(  # noqa: PLR0913 -- what it is made of, all by name
        self,
        *,
        channel: Channel,
        ledger: Ledger,
        sender: Sender,
        now: Clock,
        random: Random,
        external_url: str = "",
        lease: Lease | None = None,
    ) -> None:
        self._channel, self._ledger, self._sender, self._now = channel, ledger, sender, now
        self._external_url, self._lease = external_url, lease
        self._tries = Tries(Target(channel=channel.name), random)
        self._group_s = GROUP_S
        self._seen_s: dict[str, float] = {}  # group of Slack messages to when its first notice was seen

    @property
    def target(self) -> Target:
        """How the receiver fares."""
        return self._tries.target

    @property
    def wait_s(self) -> float:
        """Seconds until the receiver may be asked again."""
        return self._tries.wait_s(self._now.elapsed_s())

    def failed(self, why: str) -> None:
        """Take note of a failure of our own."""
        self._tries.failed(self._now.elapsed_s(), why)

    def hurry(self) -> None:
        """Wait no longer for what might go into the same post."""
        self._group_s = 0.0

    async def round(self) -> float:
        """Make a try if one is due.

        Returns:
            Seconds until the next round is worth while, if nothing comes before.
        """
        now_s = self._now.elapsed_s()
        if (wait_s := self._tries.wait_s(now_s)) > 0:
            return wait_s
        try:
            items, wait_s = self._next(now_s) if self._is_ours() else ((), IDLE_S)
            if items:
                await self._try(items)
        except LedgerError:  # nothing is sent that is not written down
            self.failed("our own ledger cannot be written")
            return self._tries.wait_s(self._now.elapsed_s())
        return self._tries.wait_s(self._now.elapsed_s()) if items else wait_s

    def _is_ours(self) -> bool:
        """Drop what others have told, of each alert one thing after the other; return whether the rest is ours."""
        if self._lease is None:
            return True
        while told := self._lease.told(self._ledger.waiting(self._channel.name, _LOOK_N)):
            self._ledger.sent(told)
        return self._lease.is_ours

    def _next(self, now_s: float) -> tuple[Sequence[Item], float]:
        """Return what goes into the next post; if nothing does, how long to wait."""
        kind = self._channel.kind
        groups: dict[str, list[Item]] = {}
        for item in self._ledger.waiting(self._channel.name, _LOOK_N):
            groups.setdefault(group_of(kind, item.notice), []).append(item)
        if kind is not ChannelKind.SLACK:
            return next(iter(groups.values()), ()), IDLE_S
        self._seen_s = {group: self._seen_s.get(group, now_s) for group in groups}
        ripe_s = {
            group: 0.0 if items[0].attempts else self._seen_s[group] + self._group_s - now_s
            for group, items in groups.items()
        }
        for group, items in groups.items():
            if ripe_s[group] <= 0:
                return items[: TOGETHER_MAX[kind]], IDLE_S
        return (), min([*ripe_s.values(), IDLE_S])

    async def _try(self, items: Sequence[Item]) -> None:
        group_key = group_of(self._channel.kind, items[0].notice)
        self._ledger.begin(items, Tried(at_ms=round(self._now.wall_s() * 1e3), group_key=group_key))
        begun_s = self._now.elapsed_s()
        verdict = await self._said(items)
        tried = Tried(
            at_ms=round(self._now.wall_s() * 1e3),
            group_key=group_key,
            http_status=verdict.http_status,
            duration_us=round((self._now.elapsed_s() - begun_s) * 1e6),
        )
        self._settle(items, verdict, tried)

    async def _said(self, items: Sequence[Item]) -> Verdict:
        now_s = self._now.wall_s()
        notices = [item.notice for item in items]
        post = direct_post(self._channel, notices, int(now_s), external_url=self._external_url)
        return await self._sender.send(self._channel.kind, post, self._channel.policy, now_s)

    def _settle(self, items: Sequence[Item], verdict: Verdict, tried: Tried) -> None:
        now_s, why = self._now.elapsed_s(), verdict.why
        if verdict.result is Result.SENT:
            if self._lease:
                self._lease.tell(items)
            self._ledger.sent(items, tried)
            self._tries.heard(len(items), now_s, gap_s=GAP_S.get(self._channel.kind, 0.0))
            return
        oldest_s = self._now.wall_s() - TRIED_S_MAX
        lost = [item for item in items if verdict.result is Result.REFUSED or item.made_at_s < oldest_s]
        self._ledger.give_up(lost, why, tried)
        self._ledger.retry([item for item in items if item not in lost], why, tried)
        self._tries.failed(now_s, why, retry_after_s=verdict.retry_after_s, given_up_n=len(lost))
