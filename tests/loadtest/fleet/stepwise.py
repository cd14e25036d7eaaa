"""The engine once more, token by token: slow and plain, to hold the one that jumps against.

It keeps a list of requests, asks each of them in each step, and adds up one step after the other. It shares the
parameters of an engine with the simulator and nothing else.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

from loadtest.fleet.engine import Engine
from loadtest.fleet.requests import End, Request


@dataclass(slots=True)
class Life:
    request: Request
    computed: int = 0
    given: int = 0
    target: int = 0
    is_decoding: bool = False
    first_s: float | None = None
    end_s: float | None = None
    how: End | None = None

    def leaves_s(self) -> float:
        at_s, _, _, wish = self.request
        if wish is None:
            return inf
        patience_s = inf if wish.patience_s is None or self.first_s is not None else wish.patience_s
        return at_s + min(patience_s, inf if wish.deadline_s is None else wish.deadline_s)


def blocks(tokens: int, engine: Engine) -> int:
    return -(-tokens // engine.block_tokens)


def played(engine: Engine, requests: Sequence[Request]) -> list[Life]:
    """Return the life of each request, in the order given; ascending by time of arrival."""
    lives = [Life(request=one, target=one[1]) for one in requests]
    coming, waiting, running = list(lives), list[Life](), list[Life]()
    t = 0.0
    while coming or waiting or running:
        if not waiting and not running:
            t = max(t, coming[0].request[0] + engine.front_s)
        while coming and coming[0].request[0] + engine.front_s <= t:
            waiting.append(coming.pop(0))
        for one in [one for one in (*waiting, *running) if one.leaves_s() <= t]:
            one.end_s, one.how = one.leaves_s(), End.ABANDONED
            (waiting if one in waiting else running).remove(one)
        if not waiting and not running:
            continue
        chunks = scheduled(engine, waiting, running)
        t = stepped(engine, t, running, chunks)
        settle(t, running)
    return lives


def scheduled(engine: Engine, waiting: list[Life], running: list[Life]) -> dict[int, int]:
    """Return the tokens of each that runs in this step, by place in `running`."""
    budget, is_put_back = engine.batched_tokens_max, False
    chunks: dict[int, int] = {}
    at = 0
    while at < len(running):
        one = running[at]
        chunk = min(one.target - one.computed, budget)
        while used(engine, running, chunks) + blocks(one.computed + chunk, engine) - blocks(one.computed, engine) > (
            engine.kv_blocks
        ):
            last = running.pop()
            last.computed, last.target, last.is_decoding = 0, last.request[1] + last.given, False
            waiting.insert(0, last)
            is_put_back = True
            if last is one:
                break
        else:
            chunks[at] = chunk
            budget -= chunk
            at += 1
    while waiting and not is_put_back and budget and len(running) < engine.seqs_max:
        one = waiting[0]
        chunk = min(one.target, budget)
        if used(engine, running, chunks) + blocks(chunk, engine) > engine.kv_blocks:
            break
        running.append(waiting.pop(0))
        chunks[len(running) - 1] = chunk
        budget -= chunk
    return chunks


def used(engine: Engine, running: list[Life], chunks: dict[int, int]) -> int:
    return sum(blocks(one.computed + chunks.get(at, 0), engine) for at, one in enumerate(running))


def stepped(engine: Engine, t: float, running: list[Life], chunks: dict[int, int]) -> float:
    """Run a step and return when it ends."""
    decoding = [one for one in running if one.is_decoding]
    prompt_tokens = sum(chunk for at, chunk in chunks.items() if not running[at].is_decoding)
    context = sum(one.computed for one in decoding)
    step_s = engine.alpha_s + engine.beta_s * len(decoding) + engine.gamma_s * context
    step_s += max(0.0, prompt_tokens * engine.prefill_s - engine.hidden_s) if prompt_tokens else 0.0
    ends = [at for at, chunk in chunks.items() if running[at].computed + chunk == running[at].target]
    step_s += engine.request_s * sum(not running[at].is_decoding for at in ends)
    t += step_s
    for at, chunk in chunks.items():
        one = running[at]
        one.computed += chunk
        if one.computed == one.target:
            one.given += 1
            one.target += 1
            one.is_decoding = True
    return t


def settle(t: float, running: list[Life]) -> None:
    """Write down first and last tokens."""
    for one in list(running):
        if one.leaves_s() <= t:
            continue
        if one.given and one.first_s is None:
            one.first_s = t
        if one.given == one.request[2]:
            one.end_s, one.how = t, End.OK
            running.remove(one)
