"""Says which tokens of an engine in real time are out, and when to look again."""

from dataclasses import replace
from math import inf

import pytest
from engines import PLAIN

from loadtest.fleet.live import Live, Talk
from loadtest.fleet.replica import Replica
from loadtest.fleet.requests import End


def lived(live: Live, asks: list[tuple[float, int, int]]) -> tuple[list[Talk], dict[int, list[float]]]:
    """Look at every end of a step; return the talks, and when each token of each was seen."""
    talks, seen, left, now_s = list[Talk](), dict[int, list[float]](), list(asks), 0.0
    while left or any(talk.end is None for talk in talks):
        now_s = min(live.next_s(now_s), left[0][0] if left else inf)
        for talk in live.move(now_s):
            times = seen.setdefault(talks.index(talk), [])
            times += [now_s] * (talk.tokens - len(times))
        while left and left[0][0] <= now_s:
            at_s, tokens_in, tokens_out = left.pop(0)
            talks.append(live.ask(tokens_in, tokens_out, at_s))
            live.move(now_s)
    return talks, seen


@pytest.mark.parametrize("gamma_s", [0.0, 1e-6], ids=["steps alike", "steps that grow"])
def test_tokens_come_at_the_times_of_virtual_time(gamma_s: float) -> None:
    engine = replace(PLAIN, gamma_s=gamma_s, beta_s=0.0003)
    asks = [(at * 0.137, 50 + 37 * at, 5 + 3 * at) for at in range(12)]

    talks, seen = lived(Live(replica=Replica(engine)), asks)

    replica = Replica(engine)
    replica.extend([talk.request for talk in talks])
    replica.advance(1e9)
    for request, first_s, end_s, how in replica.ended:
        at = [talk.request for talk in talks].index(request)
        assert (how, request[2], request[2]) == (talks[at].end, talks[at].tokens, len(seen[at]))
        assert (first_s, end_s) == (pytest.approx(seen[at][0]), pytest.approx(seen[at][-1]))


def test_an_engine_at_rest_has_no_news() -> None:
    live = Live(replica=Replica(PLAIN))

    assert ([], inf) == (live.move(1.0), live.next_s(1.0))


def test_a_client_that_leaves_makes_room() -> None:
    live = Live(replica=Replica(replace(PLAIN, seqs_max=1)))
    first, second = live.ask(100, 1000, 0.0), live.ask(100, 5, 0.0)
    live.move(0.5)
    assert (49, 0) == (first.tokens, second.tokens)  # 20 ms, then one each 10 ms

    live.leave(first, 0.5)
    for at in range(51, 60):
        live.move(at / 100)

    assert (End.ABANDONED, End.OK) == (first.end, second.end)
    live.leave(second, 0.6)
    live.move(0.7)
    assert 1 == live.counts.success["abort"]
    assert (0, 0) == (live.load(0.7).running, live.load(0.7).waiting)


def test_what_is_counted() -> None:
    live = Live(replica=Replica(PLAIN))

    lived(live, [(0.0, 100, 11), (0.001, 50, 1)])

    assert (150, 12, 2) == (live.counts.prompt_tokens, live.counts.generation_tokens, live.counts.success["length"])
