"""Shows that tokens are told of when their step has ended, to whoever waits for them."""

import asyncio
from dataclasses import replace

import pytest
from engines import PLAIN, fleet

from loadtest.fleet.crew import Crew
from loadtest.fleet.stepped import Stepped

FAST = replace(PLAIN, alpha_s=0.002, prefill_s=0.0)


@pytest.mark.parametrize("spins", [False, True], ids=["by timers", "spinning"])
async def test_answers_share_the_steps(spins: bool) -> None:
    moves: list[float] = []
    stepped = Stepped(Crew(fleet(1, engine=FAST), 1), lambda: moves.append(0.0), spins=spins)

    async def answer(tokens_out: int, name: str | None) -> list[int]:
        return [number async for number in stepped.tokens(10, tokens_out, name)]

    running = asyncio.ensure_future(stepped.run())  # noqa: TID251 -- ended below, whatever happens
    try:
        answers = await asyncio.gather(answer(20, None), answer(5, "r-0"))
    finally:
        running.cancel()

    assert [list(range(20)), list(range(5))] == answers
    assert moves
    assert 0 == stepped.crew.live("r-0").load(stepped.move()).running


async def test_who_leaves_is_let_go() -> None:
    stepped = Stepped(Crew(fleet(1, engine=FAST), 1))
    running = asyncio.ensure_future(stepped.run())  # noqa: TID251 -- ended below, whatever happens
    try:
        tokens = stepped.tokens(10, 4000)
        assert 0 == await anext(tokens)
        await tokens.aclose()
        stepped.wake()
        while stepped.crew.live("r-0").load(stepped.move()).running:  # until the end of the step that it leaves in
            assert not stepped.crew.live("r-0").counts.success["length"]
    finally:
        running.cancel()

    assert 1 == stepped.crew.live("r-0").counts.success["abort"]
