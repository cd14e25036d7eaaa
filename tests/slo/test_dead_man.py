"""Tests of slo.dead_man, over real sockets, by clocks that the test turns."""

from random import Random

from receiver import OK, START_S, Answer, Dial, Receiver, channel, receiver

from slo.channels import ChannelKind
from slo.courier import IDLE_S
from slo.dead_man import ALIVE_STEPS, EVERY_S, DeadMan
from slo.sender import Sender
from telemetry.fetch import Client

STEP_S = 30


def dead_man(running: Receiver, dial: Dial, secret: str = "") -> DeadMan:
    return DeadMan(
        channel=channel(ChannelKind.DEAD_MAN, running.url, secret=secret),
        sender=Sender(Client(), total_s=2.0),
        now=dial.clock,
        random=Random(7),  # noqa: S311 -- jitter of a test
        step_s=STEP_S,
    )


async def run(one: DeadMan, dial: Dial, until_s: float) -> None:
    while dial.now_s < until_s:
        dial.now_s += await one.round()


async def test_it_is_told_every_minute_while_instants_are_evaluated() -> None:
    dial = Dial()
    with receiver() as running:
        one = dead_man(running, dial)
        for _ in range(20):
            one.beat()
            await one.round()
            dial.now_s += STEP_S

    assert len(running.got) == 20 * STEP_S / EVERY_S
    assert running.got[0].body == {"status": "alive", "at": START_S}
    assert one.target.sent_n == len(running.got)


async def test_an_engine_that_stands_still_is_not_said_to_live() -> None:
    dial = Dial()
    with receiver() as running:
        one = dead_man(running, dial)
        assert await one.round() == IDLE_S, "nothing was evaluated yet"
        one.beat()
        await run(one, dial, 3_600)

    assert len(running.got) == ALIVE_STEPS * STEP_S / EVERY_S


async def test_what_failed_is_said_again_soon() -> None:
    dial, answers = Dial(), list[Answer]([(500, {}), (200, {})])
    with receiver(lambda _: answers.pop(0) if answers else OK) as running:
        one = dead_man(running, dial)
        one.beat()
        await run(one, dial, EVERY_S)

    assert (len(running.got), one.target.failed_n, one.target.sent_n) == (2, 1, 1)


async def test_it_may_ask_for_a_token() -> None:
    dial = Dial()
    with receiver() as running:
        one = dead_man(running, dial, secret="token")  # noqa: S106 -- of a test
        one.beat()
        await one.round()

    assert running.got[0].headers["Authorization"] == "Bearer token"
