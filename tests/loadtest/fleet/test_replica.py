"""Says that jumps find what steps find, and what an engine shows of itself."""

from collections.abc import Iterable
from dataclasses import replace
from math import inf, isclose
from random import Random

import pytest
from engines import PLAIN, asks
from stepwise import Life, played

from loadtest.fleet.engine import Engine
from loadtest.fleet.replica import Replica
from loadtest.fleet.requests import End, Ended, Request, Wish

APART = 1e-9
"""Relative error of a time: what is left is the order in which steps are added up."""


def jumped(engine: Engine, requests: list[Request], looks_s: Iterable[float] = (), **options: bool) -> list[Ended]:
    """Return how requests end, looking at the engine at some instants on the way."""
    replica, coming = Replica(engine, **options), list(requests)
    for look_s in (*looks_s, 1e9):
        while coming and coming[0][0] <= look_s:
            replica.push(coming.pop(0))
        replica.advance(look_s)
    assert 0 == replica.open
    return replica.ended


def same(lives: list[Life], ended: list[Ended]) -> None:
    by_request = {id(one[0]): one for one in ended}
    assert len(lives) == len(ended) == len(by_request)
    for life in lives:
        _, first_s, end_s, how = by_request[id(life.request)]
        assert life.how is how, life
        assert life.end_s is not None
        assert isclose(life.end_s, end_s, rel_tol=APART), (life, end_s)
        assert (life.first_s is None) is (first_s is None)
        assert isclose(life.first_s or 0.0, first_s or 0.0, rel_tol=APART), (life, first_s)


def scenario(seed: int) -> tuple[Engine, list[Request]]:
    random = Random(seed)  # noqa: S311 -- scenarios, no secrets
    engine = Engine(
        alpha_s=random.uniform(0.005, 0.05),
        beta_s=random.choice([0.0, 0.0003]),
        gamma_s=random.choice([0.0, 2e-7, 1e-6]),
        prefill_s=random.choice([0.00002, 0.0001]),
        hidden_s=random.choice([0.0, 0.004]),
        kv_blocks=random.choice([40, 90, 400, 10_000]),
        seqs_max=random.choice([2, 8, 64]),
        batched_tokens_max=random.choice([64, 256, 2048]),
    )
    most = engine.kv_tokens // 2 - 8
    t, rate, requests = 0.0, random.choice([0.5, 4.0, 30.0]), list[Request]()
    for _ in range(random.randint(1, 40)):
        t += random.expovariate(rate)
        wish = None
        if random.random() < random.choice([0.0, 0.5]):
            wish = Wish(patience_s=random.choice([None, random.expovariate(1)]), deadline_s=random.choice([None, 3.0]))
        requests.append((t, random.randint(1, min(most, 600)), random.randint(1, min(most, 200)), wish))
    return replace(engine, front_s=random.choice([0.0, 0.003, 0.4])), requests


@pytest.mark.parametrize("seed", range(100))
def test_jumps_find_what_steps_find(seed: int) -> None:
    engine, requests = scenario(seed)
    lives = played(engine, requests)

    same(lives, jumped(engine, requests))
    same(lives, jumped(engine, requests, [request[0] for request in requests]))
    same(lives, jumped(engine, requests, [at * 0.37 for at in range(100)]))


@pytest.mark.parametrize("seed", range(150, 180))
def test_keeping_beginnings_that_nobody_shares_changes_nothing(seed: int) -> None:
    engine, requests = scenario(seed)

    same(played(engine, requests), jumped(engine, requests, is_caching=True))


def test_a_request_waits_in_front_of_the_queue_and_no_step_waits_for_it() -> None:
    engine = replace(PLAIN, front_s=0.2)

    ended = jumped(engine, [*asks(1, 0.0, tokens_out=51), (0.105, 100, 11, None)])

    # 20 ms until the first token and 10 ms for each of 50 more, one of them 20 ms for it reads the other prompt
    assert [(0.33, 0.43), (0.22, 0.73)] == [
        (pytest.approx(first_s), pytest.approx(end_s)) for _, first_s, end_s, _ in ended
    ]


def test_a_long_queue_is_taken_in_order() -> None:
    requests = asks(60, 0.0, tokens_in=90)

    ended = jumped(PLAIN, requests)

    assert requests == [one[0] for one in sorted(ended, key=lambda one: one[1] or 0.0)]


def test_a_prompt_of_nothing_takes_a_step() -> None:
    assert [0.02] == [pytest.approx(one[2]) for one in jumped(PLAIN, asks(1, 0.0, tokens_in=0, tokens_out=2))]


def test_a_shared_beginning_is_read_once() -> None:
    wish = Wish(prefix=(1, 2), prefix_tokens=160)
    requests = asks(3, 1.0, tokens_in=400, wish=wish)

    ended = jumped(PLAIN, requests, is_caching=True)

    # a step of 10 ms, and 0.1 ms for each of 400 tokens, then of the 80 that are the request's own
    assert [0.05, 0.018, 0.018] == [pytest.approx((first_s or 0.0) - one[0]) for one, first_s, _, _ in ended]


def test_what_an_engine_says_of_itself() -> None:
    replica = Replica(PLAIN)
    replica.extend(asks(10, 0.0))
    replica.advance(0.1)

    load = replica.load(0.1)

    # eight fit: a step with 800 prompt tokens ends at 0.09, one step of 10 ms is done by 0.1
    assert (8, 2, 200) == (load.running, load.waiting, load.waiting_prompt_tokens)
    assert 8 * 7 / 1000 == load.kv_used_ratio  # 101 tokens are seven blocks
    assert 0.1 == pytest.approx(load.busy_s)
    assert (800, 0, 0) == (load.prompt_tokens, load.hit_tokens, load.preemptions)
    assert 0.19 == pytest.approx(replica.next_s)


def test_an_engine_at_rest() -> None:
    replica = Replica(PLAIN)
    replica.extend([])
    replica.extend(asks(1, 0.0))
    replica.advance(5.0)

    load = replica.load(5.0)

    assert (0, 0, 0, 0.0) == (load.running, load.waiting, load.waiting_prompt_tokens, load.kv_used_ratio)
    assert 0.12 == pytest.approx(load.busy_s)
    assert inf == replica.next_s


def test_in_the_middle_of_a_jump() -> None:
    replica = Replica(PLAIN)
    replica.extend(asks(1, 0.0, tokens_out=1001))
    replica.advance(5.0)

    load = replica.load(5.0)

    assert 1 == load.running
    assert 5.0 == pytest.approx(load.busy_s)
    assert 38 / 1000 == load.kv_used_ratio  # 100 tokens and the 498 of 4.98 s


def test_those_who_left_wait_no_more() -> None:
    replica = Replica(PLAIN)
    replica.extend(asks(8, 0.0, tokens_out=1000))
    replica.extend(asks(2, 0.0, wish=Wish(patience_s=0.5)))
    replica.advance(1.0)

    assert (0, 8) == (replica.load(1.0).waiting, replica.open)
    assert [End.ABANDONED] * 2 == [one[3] for one in replica.ended]


def test_a_failure_loses_all_that_it_holds() -> None:
    engine = replace(PLAIN, kv_blocks=24, batched_tokens_max=64)
    requests = asks(12, 0.02, tokens_in=60, tokens_out=150)
    replica = Replica(engine)
    now_s = 0.0
    while not replica.preemptions:
        replica.extend([one for one in requests if now_s <= one[0] < now_s + 0.01])
        now_s += 0.01
        replica.advance(now_s)
    came = sum(one[0] < now_s for one in requests)
    replica.fail(now_s)

    assert came == len(replica.ended)
    assert {End.OK, End.LOST} >= {one[3] for one in replica.ended}
    assert (0, inf, 0) == (replica.open, replica.next_s, replica.load(now_s).running)


def test_a_failure_in_the_middle_of_a_prompt() -> None:
    replica = Replica(replace(PLAIN, batched_tokens_max=64))
    replica.extend(asks(2, 0.0, tokens_in=100))
    replica.advance(0.001)

    assert 1 == replica.load(0.001).running
    replica.fail(0.001)
    assert [End.LOST] * 2 == [one[3] for one in replica.ended]


def test_tokens_that_are_out_and_the_end_of_the_step_that_runs() -> None:
    replica = Replica(replace(PLAIN, gamma_s=1e-5))
    assert inf == replica.step_end_s(0.0)
    requests = asks(1, 0.0)
    replica.extend(requests)

    replica.advance(0.005)
    assert ([], 0.02) == (replica.given(0.005), pytest.approx(replica.step_end_s(0.005)))

    # a first token at 20 ms, then steps of 11.00, 11.01, 11.02 ms: each token held adds 10 us
    for now_s, tokens, end_s in ((0.025, 1, 0.031), (0.0315, 2, 0.04201), (0.0421, 3, 0.05303)):
        replica.advance(now_s)
        assert [(requests[0], tokens)] == replica.given(now_s)
        assert end_s == pytest.approx(replica.step_end_s(now_s))


def test_a_step_that_runs_while_others_are_admitted_gives_nothing_yet() -> None:
    replica = Replica(PLAIN)
    replica.extend(asks(2, 0.025))
    replica.advance(0.035)

    assert 0.05 == pytest.approx(replica.step_end_s(0.035))  # from 0.03 on, a step with the second one's prompt
    assert [2] == [tokens for _, tokens in replica.given(0.035)]


def test_a_client_may_leave_when_it_likes() -> None:
    replica = Replica(PLAIN)
    requests = asks(1, 0.0, tokens_out=1000)
    replica.extend(requests)
    replica.advance(1.0)

    replica.leave(requests[0], 1.0)
    assert 1.0 == replica.next_s
    replica.advance(1.5)

    assert [(requests[0], pytest.approx(0.02), 1.0, End.ABANDONED)] == replica.ended
    assert 0 == replica.open


def test_a_client_that_leaves_the_queue_is_not_served_later() -> None:
    replica = Replica(replace(PLAIN, seqs_max=1))
    requests = asks(3, 0.0)
    replica.extend(requests)
    replica.advance(0.05)
    replica.leave(requests[1], 0.05)
    replica.advance(9.0)

    assert [End.ABANDONED, End.OK, End.OK] == [one[3] for one in replica.ended]
    assert 0.24 == pytest.approx(replica.ended[-1][2])  # two of 120 ms, one after the other


@pytest.mark.parametrize(("batch", "request_s"), [(32, 0.2621), (64, 0.2190)], ids=["32 at a time", "64 at a time"])
def test_an_engine_that_is_never_idle_serves_what_the_capacity_model_says(batch: int, request_s: float) -> None:
    engine = Engine(  # spec/scaling.md 5: T(32) 36.9 ms, T(64) 52.4 ms, V_P 9,000, I' 1020, O 129
        alpha_s=0.0214, beta_s=0.000484, gamma_s=0.0, prefill_s=1 / 9000, kv_blocks=7500, seqs_max=batch
    )
    ended = jumped(engine, asks(2000, 0.0, tokens_in=1020, tokens_out=129))

    # 2 %: at the begin and at the end the batch is not full, and a step that reads a prompt decodes for the others, too
    assert request_s == pytest.approx(max(one[2] for one in ended) / 2000, rel=0.02)


@pytest.mark.parametrize("gamma_s", [0.0, 1e-6], ids=["steps alike", "steps that grow"])
def test_an_engine_that_becomes_slower_goes_on_from_where_it_is(gamma_s: float) -> None:
    engine = replace(PLAIN, gamma_s=gamma_s)
    replica, other = Replica(engine), Replica(engine)
    for one in (replica, other):
        one.extend([(0.0, 100, 100, None)])
        one.advance(0.5)
    replica.become(engine.slowed(2.0), 0.5)
    for one in (replica, other):
        one.advance(0.7)
    ((_, slowed),), ((_, same),) = replica.given(0.7), other.given(0.7)
    busy_s = [one.load(0.7).busy_s for one in (replica, other)]
    for one in (replica, other):
        one.advance(9.0)

    assert same - slowed == pytest.approx(10, abs=1)  # 20 steps of 10 ms in 0.2 s, or 10 of 20 ms
    assert busy_s == pytest.approx([0.7, 0.7])
    assert replica.ended[0][2] - 0.5 == pytest.approx(2 * (other.ended[0][2] - 0.5), rel=0.02)


def test_an_engine_at_rest_becomes_another_one() -> None:
    replica = Replica(PLAIN)
    replica.become(PLAIN.slowed(2.0), 1.0)
    replica.extend([(2.0, 100, 11, None)])
    replica.advance(9.0)

    assert 2.0 + 2 * 0.12 == pytest.approx(replica.ended[0][2])
