"""Says what an engine does in the cases that are rare: too little room, requests that leave, prompts read in parts."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from engines import PLAIN, asks
from stepwise import played

from loadtest.fleet.engine import Engine
from loadtest.fleet.replica import Replica
from loadtest.fleet.requests import End, Ended, Request, Wish

SMALL = replace(PLAIN, kv_blocks=16, batched_tokens_max=64)
"""Room for 256 tokens, and chunks of 64."""
WHOLE = replace(SMALL, batched_tokens_max=256)
"""The same room, and prompts are read in one step."""


def served(engine: Engine, requests: Sequence[Request], *, is_caching: bool = False) -> tuple[Replica, list[Ended]]:
    replica = Replica(engine, is_caching=is_caching)
    replica.extend(requests)
    replica.advance(1e9)

    assert 0 == replica.open
    return replica, sorted(replica.ended, key=lambda one: requests.index(one[0]))


def test_who_does_not_fit_is_put_back_and_computed_anew() -> None:
    requests = [(0.0, 100, 60, None), (0.001, 100, 61, None)]

    replica, ended = served(WHOLE, requests)

    # both hold 7 blocks after their prompts; at 129 tokens each they need 18 of 16
    assert 1 == replica.preemptions
    assert 260 < replica.prompt_tokens  # 200, and the second prompt with what it had given
    assert ended[0][2] < ended[1][2]
    assert [one.end_s for one in played(WHOLE, requests)] == pytest.approx([one[2] for one in ended])


@pytest.mark.parametrize(
    "request_", [(0.0, 200, 58, None), (0.0, 300, 1, None), (0.0, 60, 400, Wish(deadline_s=99.0))], ids=str
)
def test_what_no_engine_can_hold_is_told_so(request_: Request) -> None:
    after: Request = (0.5, 20, 5, None)

    for engine in (SMALL, WHOLE):
        _, ended = served(engine, [request_, after])

        assert [End.TOO_LONG, End.OK] == [one[3] for one in ended]


def test_what_fits_to_the_last_token_is_served() -> None:
    for engine in (SMALL, WHOLE):
        assert End.OK is served(engine, [(0.0, 200, 57, None)])[1][0][3]


@pytest.mark.parametrize(
    ("patience_s", "deadline_s", "end_s", "how"),
    [
        (0.005, None, 0.005, End.ABANDONED),
        (0.1, None, None, End.OK),
        (None, 0.1, 0.1, End.ABANDONED),
        (0.1, 0.2, 0.2, End.ABANDONED),
    ],
    ids=["left in its prompt", "had a token in time", "left in its answer", "had a token, left later"],
)
def test_a_client_that_leaves(patience_s: float | None, deadline_s: float | None, end_s: float, how: End) -> None:
    wish = Wish(patience_s=patience_s, deadline_s=deadline_s)

    for is_caching in (False, True):
        _, ended = served(PLAIN, [(0.0, 100, 50, wish), (0.3, 10, 5, None)], is_caching=is_caching)

        assert (how, End.OK) == (ended[0][3], ended[1][3])
        assert end_s is None or end_s == pytest.approx(ended[0][2])


def test_a_client_that_leaves_while_it_was_put_back() -> None:
    requests = [(0.0, 100, 120, None), (0.001, 100, 100, Wish(deadline_s=0.7))]

    replica, ended = served(WHOLE, requests)

    assert 1 == replica.preemptions
    assert (End.ABANDONED, 0.701) == (ended[1][3], pytest.approx(ended[1][2]))


def test_a_client_that_leaves_in_the_middle_of_its_prompt() -> None:
    requests = [(0.0, 100, 60, None), (0.5, 150, 10, Wish(patience_s=0.03))]

    replica, ended = served(SMALL, requests)

    assert (End.OK, End.ABANDONED) == (ended[0][3], ended[1][3])
    assert 226 == replica.prompt_tokens  # two of its three chunks, 63 each beside the one that decodes


def test_a_beginning_that_is_held_needs_no_room_of_its_own() -> None:
    wish = Wish(prefix=(1,), prefix_tokens=128)

    alone, _ = served(SMALL, asks(2, 0.05, tokens_in=140, tokens_out=20, wish=wish))
    shared, ended = served(SMALL, asks(2, 0.05, tokens_in=140, tokens_out=20, wish=wish), is_caching=True)

    assert (0, 128) == (alone.hit_tokens, shared.hit_tokens)
    assert (0, 152) == (shared.preemptions, shared.prompt_tokens)
    assert ended[1][0][0] + 0.05 > (ended[1][1] or 0.0)


def test_a_beginning_goes_when_others_need_the_room() -> None:
    wish = Wish(prefix=(1,), prefix_tokens=128)
    first, last = asks(1, 0.0, tokens_in=140, wish=wish), (9.0, 140, 11, wish)

    kept, _ = served(SMALL, [*first, last], is_caching=True)
    lost, _ = served(SMALL, [*first, (3.0, 230, 11, None), last], is_caching=True)

    assert (128, 0) == (kept.hit_tokens, lost.hit_tokens)


def test_a_prompt_that_is_read_in_parts_goes_back_when_it_does_not_fit() -> None:
    requests = [(0.0, 100, 120, None), (0.2, 130, 3, None)]

    replica, ended = served(SMALL, requests)

    assert replica.preemptions > 1  # its first chunk fits again and again, its last one does not: as vLLM does
    assert [End.OK, End.OK] == [one[3] for one in ended]
    assert [one.end_s for one in played(SMALL, requests)] == pytest.approx([one[2] for one in ended])


def test_a_beginning_of_one_that_is_put_back_is_used_no_more() -> None:
    wish = Wish(prefix=(1,), prefix_tokens=64)
    requests = [(0.0, 100, 90, wish), (0.001, 100, 91, wish), (0.3, 150, 5, wish)]

    for engine in (SMALL, WHOLE):
        replica, ended = served(engine, requests, is_caching=True)

        assert [End.OK] * 3 == [one[3] for one in ended]
        assert 0 == replica.load(1e9).kv_used_ratio
        assert replica.preemptions >= 1
