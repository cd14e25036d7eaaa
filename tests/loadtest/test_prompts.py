"""Prompts: unique unless they are to share, and exactly as long as asked when a word is a token."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.errors import PlanError
from loadtest.plan import Arrival
from loadtest.prompts import BLOCK_TOKENS, PROBE_WORDS_FEW, PROBE_WORDS_MANY, Calibration, Writer, calibrated

WRITER = Writer(7)


def arrival(
    *,
    nonce: int = 1,
    len_in: int = 100,
    prefix_id: int | None = None,
    prefix_len: int = 0,
    blocks: tuple[int, ...] = (),
) -> Arrival:
    return Arrival(
        j=0,
        t_sched_ns=0,
        workload_class="chat",
        len_in=len_in,
        len_out=1,
        nonce=nonce,
        prefix_id=prefix_id,
        prefix_len=prefix_len,
        blocks=blocks,
    )


def shared_words(one: str, other: str) -> int:
    pairs = list(zip(one.split(), other.split(), strict=False))
    return next((at for at, (a, b) in enumerate(pairs) if a != b), len(pairs))


def test_a_prompt_begins_with_its_nonce_and_has_its_words() -> None:
    prompt = WRITER.prompt(arrival(nonce=0xABC, len_in=100))

    assert re.fullmatch(r"0000000000000abc( [a-z]{4}){100}", prompt)
    assert prompt == Writer(7).prompt(arrival(nonce=0xABC, len_in=100))


def test_no_two_prompts_are_alike() -> None:
    prompts = {WRITER.prompt(arrival(nonce=nonce)) for nonce in range(500)}
    rest = {prompt[17:] for prompt in prompts}

    assert 500 == len(prompts) == len(rest)


def test_a_salt_keeps_runs_of_one_seed_apart() -> None:
    first, second = Writer(7, salt="run-1"), Writer(7, salt="run-2")
    for one in (arrival(), arrival(blocks=(3, 4), len_in=900), arrival(prefix_id=1, prefix_len=50)):
        assert first.prompt(one) == Writer(7, salt="run-1").prompt(one)
        assert shared_words(first.prompt(one), second.prompt(one)) <= 1
    assert re.match(r"[0-9a-f]{16} ", first.prompt(arrival()))


def test_a_shared_prefix_stands_before_the_nonce() -> None:
    one = WRITER.prompt(arrival(nonce=1, prefix_id=0, prefix_len=40))
    other = WRITER.prompt(arrival(nonce=2, prefix_id=0, prefix_len=40))
    elsewhere = WRITER.prompt(arrival(nonce=1, prefix_id=1, prefix_len=40))

    assert 40 == shared_words(one, other)
    assert shared_words(one, elsewhere) < 3
    assert "0000000000000001" == one.split()[40]
    assert 101 == len(one.split())


@pytest.mark.parametrize("len_in", [1, BLOCK_TOKENS * 2 - 1, BLOCK_TOKENS * 2, 70_000])
def test_lengths_are_exact_where_a_word_is_a_token(len_in: int) -> None:
    blocks = tuple(range(-(-len_in // BLOCK_TOKENS)))

    assert len_in == len(WRITER.prompt(arrival(len_in=len_in, blocks=blocks)).split())
    assert len_in + 1 == len(WRITER.prompt(arrival(len_in=len_in)).split())


@given(
    st.lists(st.integers(0, 10**9), min_size=1, max_size=4, unique=True),
    st.lists(st.integers(0, 10**9), min_size=1, max_size=4, unique=True),
    st.integers(0, 4),
)
def test_rows_that_share_k_leading_ids_share_k_blocks_of_words_and_no_more(
    ids: list[int], others: list[int], k: int
) -> None:
    blocks = (*ids[:k], *others) if others[0] != (ids[k] if k < len(ids) else None) else tuple(ids)
    one, other = (
        WRITER.prompt(arrival(blocks=some, len_in=BLOCK_TOKENS * len(some))) for some in (tuple(ids), tuple(blocks))
    )
    leading = next(
        (at for at, (a, b) in enumerate(zip(ids, blocks, strict=False)) if a != b), min(len(ids), len(blocks))
    )

    assert leading * BLOCK_TOKENS == shared_words(one, other)


def test_further_turns_are_new_text() -> None:
    second, third = (WRITER.follow_up(arrival(), turn, 50) for turn in (2, 3))

    assert 50 == len(second.split()) == len(third.split())
    assert second != third != WRITER.follow_up(arrival(nonce=2), 3, 50)


def test_two_probes_say_what_a_word_is() -> None:
    few, many = (PROBE_WORDS_FEW, 50), (PROBE_WORDS_MANY[0], 1310)
    found = calibrated(few, many)

    assert Calibration(tokens_per_word=1.25, tokens_fixed=30.0, probes=(few, many)) == found
    assert 800 == found.words(1030)
    assert 1 == found.words(5)
    assert 400 == found.words_within(500)
    with pytest.raises(PlanError):
        calibrated((16, 100), (1024, 100))


@given(st.integers(100, 50_000), st.floats(0.7, 2.5), st.integers(0, 80))
def test_a_calibrated_prompt_is_within_2_percent(tokens: int, per_word: float, fixed: int) -> None:
    words = Calibration(tokens_per_word=per_word, tokens_fixed=fixed).words(tokens)

    assert abs(words * per_word + fixed - tokens) <= max(0.02 * tokens, per_word)


def test_blocks_are_as_long_as_the_calibration_says() -> None:
    writer = Writer(7, Calibration(tokens_per_word=2.0, tokens_fixed=10))
    one = writer.prompt(arrival(blocks=(1, 2, 3), len_in=1500))
    other = writer.prompt(arrival(blocks=(1, 2, 4), len_in=1500))

    assert 745 == len(one.split())
    assert 512 == shared_words(one, other)
