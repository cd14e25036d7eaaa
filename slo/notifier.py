"""Knows how all targets are told side by side, in a thread of its own; refuses to know what is said and by whom.

Each target has its own task, so one that hangs holds up no other. Whoever evaluates hands over what stands, saves what
is to be said into the ledger and rings; whoever starts a notifier stops it. A stop gives what may be said now ten
seconds; what was not said waits in the ledger.

Source: spec/slo.md 11 (drain 10 s at stop; `NotifierFailing`).
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from random import Random, SystemRandom
from threading import Event, Thread

from slo.alert import Alert
from slo.alertmanager_courier import AlertmanagerCourier
from slo.channels import Channel, ChannelKind
from slo.courier import Clock, Courier
from slo.dead_man import DeadMan
from slo.lease import FileLease
from slo.ledger import Ledger
from slo.notice import Notice
from slo.sender import Sender
from slo.target import Target
from telemetry.fetch import Client

DRAIN_S_MAX = 10.0
"""Longest time that a stop takes."""

_SOON_S = 1.0  # what may be said within this is said before an end
_RESOLVER_S = 1.0  # a resolver that hangs cannot be interrupted; its thread is left behind
_Carrier = Courier | AlertmanagerCourier | DeadMan


class Notifier:
    """Tells every channel; each public method may be called from any thread.

    Args:
        channels: Who is told.
        ledger: What is said, and what became of it.
        step_s: Time between two evaluations.
        external_url: Where a person finds our own pages.
        now: The clocks.
        random: Source of the jitter.
        client: What asks.
        lease: Which of several replicas tells those that must hear a thing once; None if there is one.
    """

    def __init__(  # noqa: PLR0913 -- what it is made of, all by name
        self,
        channels: Sequence[Channel],
        ledger: Ledger,
        *,
        step_s: int,
        external_url: str = "",
        now: Clock | None = None,
        random: Random | None = None,
        client: Client | None = None,
        lease: FileLease | None = None,
    ) -> None:
        self._now = now or Clock()
        random = random or SystemRandom()
        sender = Sender(client or Client())
        self._ledger, self._lease = ledger, lease
        self._alertmanagers = [
            AlertmanagerCourier(
                channel=channel, instance=at, sender=sender, now=self._now, random=random, step_s=step_s
            )
            for channel in channels
            if channel.kind is ChannelKind.ALERTMANAGER
            for at in range(len(channel.urls))
        ]
        self._queues = {
            channel.name: Courier(
                channel=channel,
                ledger=ledger,
                sender=sender,
                now=self._now,
                random=random,
                external_url=external_url,
                lease=lease,
            )
            for channel in channels
            if channel.kind not in {ChannelKind.ALERTMANAGER, ChannelKind.DEAD_MAN}
        }
        self._dead_men = [
            DeadMan(channel=channel, sender=sender, now=self._now, random=random, step_s=step_s)
            for channel in channels
            if channel.kind is ChannelKind.DEAD_MAN
        ]
        self._thread = Thread(target=lambda: asyncio.run(self._main()), name="notifier", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._limit: asyncio.Timeout | None = None
        self._begun = Event()
        self._bells: list[asyncio.Event] = []
        self._stopping = asyncio.Event()
        self._is_stopping = False

    def start(self) -> None:
        """Begin to tell."""
        self._thread.start()
        self._begun.wait()

    def stand(self, alerts: Sequence[Alert]) -> None:
        """Hand over what stands after an instant, for those who are told of states; call it after `start`."""
        notices = [alert.notice() for alert in alerts]
        for one in self._dead_men:
            one.beat()
        self._call(lambda: self._stand(notices))

    def ring(self) -> None:
        """Say that the ledger holds something new."""
        self._call(self._ring)

    def targets(self) -> tuple[Target, ...]:
        """Return how every target fares."""
        return tuple(one.target for one in self._carriers)

    def told_again(self) -> tuple[Target, ...]:
        """Return how those fare that are told every minute what stands."""
        return tuple(one.target for one in self._alertmanagers)

    def waits_s(self) -> Mapping[str, float]:
        """Return how many seconds each of the others is to be left alone, by channel."""
        return {name: one.wait_s for name, one in self._queues.items()}

    def failing(self) -> tuple[Target, ...]:
        """Return the targets of which others have to hear that they hear nothing."""
        now_s = self._now.elapsed_s()
        return tuple(target for target in self.targets() if target.is_failing(now_s))

    def stop(self) -> int:
        """Say what may be said now, and end.

        Returns:
            How many notices wait in the ledger for the next start.
        """
        self._call(self._drain)
        self._thread.join(DRAIN_S_MAX + _RESOLVER_S)
        if self._lease:
            self._lease.release()
        return sum(self._ledger.waiting_n(name) for name in self._queues)

    @property
    def _carriers(self) -> list[_Carrier]:
        return [*self._alertmanagers, *self._queues.values(), *self._dead_men]

    def _call(self, what: Callable[[], None]) -> None:
        assert self._loop is not None  # noqa: S101 -- `start` returns when there is one
        with suppress(RuntimeError):  # it has ended
            self._loop.call_soon_threadsafe(what)

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._bells = [asyncio.Event() for _ in self._carriers]
        with suppress(TimeoutError):
            async with asyncio.timeout(None) as self._limit, asyncio.TaskGroup() as group:
                for carrier, bell in zip(self._carriers, self._bells, strict=True):
                    group.create_task(self._carry(carrier, bell))
                if self._lease:
                    group.create_task(self._hold(self._lease))
                self._begun.set()

    async def _carry(self, carrier: _Carrier, bell: asyncio.Event) -> None:
        while True:
            bell.clear()
            try:
                wait_s = await carrier.round()
            except Exception as error:  # noqa: BLE001 -- a mistake over one target must not silence the others
                carrier.failed(f"our own mistake: {type(error).__name__}")
                continue
            if wait_s <= 0:
                continue
            if self._is_stopping and (wait_s > _SOON_S or carrier.target.failing_since_s is not None):
                return
            with suppress(TimeoutError):
                await asyncio.wait_for(bell.wait(), wait_s)

    async def _hold(self, lease: FileLease) -> None:
        """Keep the lease, or wait for it; it outlasts the end of the notifier."""
        while not self._is_stopping:
            if lease.claim():
                self._ring()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), lease.look_s)

    def _stand(self, notices: Sequence[Notice]) -> None:
        for one in self._alertmanagers:
            one.stand(notices)
        self._ring()

    def _ring(self) -> None:
        for bell in self._bells:
            bell.set()

    def _drain(self) -> None:
        self._is_stopping = True
        self._stopping.set()
        for one in self._queues.values():
            one.hurry()
        if self._limit is not None and self._loop is not None:
            self._limit.reschedule(self._loop.time() + DRAIN_S_MAX)
        self._ring()
