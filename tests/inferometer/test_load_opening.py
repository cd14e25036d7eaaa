import json
from collections.abc import Callable
from dataclasses import replace

import msgspec
import pytest
from load_rows import row
from test_load_options import options

from inferometer.engine_facts import of_server_info
from inferometer.load_key import UNKNOWN, Engine
from inferometer.load_opening import (
    ALONE_REQUESTS,
    ALONE_S_MAX,
    GAIN_ENOUGH,
    Carry,
    alone,
    climbed,
    max_num_seqs,
    opened,
    saturated,
)
from inferometer.load_options import Options
from loadtest.conductor import EXIT_FAILED, EXIT_INCONCLUSIVE, EXIT_INTERRUPTED, EXIT_OK
from loadtest.rows import Row
from loadtest.sweep import Measured
from probes.aliases import Engine as Kind

OPTIONS = replace(options(), tokens_in="400~0.5", in_flight_max=500)


def never(one: Options) -> bool:
    return one.closed is None


def target(asked: list[Options], fails: Callable[[Options], bool] = never, code: int = EXIT_FAILED) -> Carry:
    """Answer 10 requests a second and user, of up to 20 users."""

    def carry(one: Options) -> tuple[str, int, Measured]:
        asked.append(one)
        n = 100 * min(one.closed or 0, 20)
        rows = [row(j, at_s=j * 10 / n) for j in range(n)]
        ended = code if fails(one) else EXIT_OK
        return f"s-{len(asked)}", ended, Measured(rows=rows, window_ns=(0, 10_000_000_000))

    return carry


def test_one_user_asks_for_two_lengths_of_prompts() -> None:
    asked: list[Options] = []
    seen = alone(target(asked), OPTIONS)

    assert [(1, ALONE_REQUESTS, ALONE_S_MAX, length) for length in ("100", "400")] == [
        (one.closed, one.count, one.seconds, one.tokens_in) for one in asked
    ]
    assert ([10.0, 10.0], ["s-1", "s-2"]) == ([point.rate_rps for point in seen.points], seen.run_ids)


def test_users_grow_until_output_does_not() -> None:
    asked: list[Options] = []
    seen = saturated(target(asked), OPTIONS, UNKNOWN)

    assert [1, 4, 16, 64, 256] == [one.closed for one in asked]
    assert (64, 200.0) == (seen.best.users, seen.best.rate_rps)
    assert 1 < GAIN_ENOUGH < 4


def test_no_more_users_than_may_be_in_flight() -> None:
    asked: list[Options] = []
    climbed(target(asked), replace(OPTIONS, in_flight_max=5), factor=2)

    assert [1, 2, 4] == [one.closed for one in asked]


def test_the_engine_says_how_many_are_enough() -> None:
    asked: list[Options] = []
    seen = saturated(target(asked), OPTIONS, Engine(flags={"max-num-seqs": "64"}))

    assert [77] == [one.closed for one in asked]
    assert 200.0 == seen.best.rate_rps


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        pytest.param(None, None, id="nothing is known"),
        pytest.param({"seed": 1}, None, id="not said"),
        pytest.param({"--max-num-seqs": 256}, 256, id="as typed"),
        pytest.param({"max_num_seqs": "64"}, 64, id="as the engine writes it"),
        pytest.param({"max_num_seqs": "auto"}, None, id="no number"),
        pytest.param({"--max-running-requests": 128}, 128, id="SGLang's"),
    ],
)
def test_how_many_requests_the_engine_batches(flags: dict[str, str | int | float | bool | None], expected: int) -> None:
    assert expected == max_num_seqs(Engine(flags=flags))


@pytest.mark.parametrize(
    ("told", "kind"),
    [
        pytest.param({"vllm_config": {"scheduler_config": {"max_num_seqs": 256}}}, Kind.VLLM, id="vLLM"),
        pytest.param({"internal_states": [], "max_running_requests": 256}, Kind.SGLANG, id="SGLang"),
    ],
)
def test_how_many_requests_the_engine_says_it_batches(told: dict[str, object], kind: Kind) -> None:
    assert 256 == max_num_seqs(of_server_info(json.dumps(told).encode(), kind))


def test_a_sweep_opens_with_both() -> None:
    asked: list[Options] = []
    opening = opened(target(asked), OPTIONS, lambda: UNKNOWN)

    assert opening.saturated is not None
    assert (2, 64, EXIT_OK) == (len(opening.alone), opening.saturated.users, opening.code)
    assert [f"s-{number}" for number in range(1, 8)] == list(opening.run_ids)


@pytest.mark.parametrize(
    ("users", "tokens_in", "runs", "alone_n"),
    [pytest.param(1, "100", 1, 0, id="the first"), pytest.param(16, "400~0.5", 5, 2, id="on the way up")],
)
def test_a_run_that_says_nothing_ends_it(users: int, tokens_in: str, runs: int, alone_n: int) -> None:
    asked: list[Options] = []

    def fails(one: Options) -> bool:
        return (one.closed, one.tokens_in) == (users, tokens_in)

    opening = opened(target(asked, fails), OPTIONS, lambda: UNKNOWN)
    assert (EXIT_FAILED, None, runs, alone_n) == (opening.code, opening.saturated, len(asked), len(opening.alone))


def above(users: int) -> Callable[[Options], bool]:
    def fails(one: Options) -> bool:
        return (one.closed or 0) > users

    return fails


def test_a_client_that_cannot_keep_up_ends_the_climb_alone() -> None:
    asked: list[Options] = []
    opening = opened(target(asked, above(4), EXIT_INCONCLUSIVE), OPTIONS, lambda: UNKNOWN)

    assert [1, 1, 1, 4, 16] == [one.closed for one in asked]
    assert opening.saturated is not None
    assert (EXIT_OK, 16, ("s-1", "s-2", "s-3", "s-4")) == (opening.code, opening.saturated.users, opening.run_ids)


def test_a_result_needs_a_fit_client() -> None:
    asked: list[Options] = []
    seen = climbed(target(asked, above(2), EXIT_INCONCLUSIVE), OPTIONS, factor=2)

    assert [1, 2, 4, 4, 4] == [one.closed for one in asked]
    assert (EXIT_INCONCLUSIVE, [1, 2]) == (seen.code, [point.users for point in seen.points])


def test_a_loop_that_sent_nothing_says_nothing() -> None:
    def void(one: Options) -> tuple[str, int, Measured]:
        del one
        return "s-0", EXIT_INCONCLUSIVE, Measured(rows=[], window_ns=(0, 10_000_000_000))

    seen = saturated(void, OPTIONS, UNKNOWN)
    assert (EXIT_INCONCLUSIVE, [], []) == (seen.code, seen.points, seen.run_ids)


@pytest.mark.parametrize(
    ("ended", "code"),
    [
        pytest.param(EXIT_INTERRUPTED, EXIT_INTERRUPTED, id="Ctrl-C"),
        pytest.param(EXIT_INCONCLUSIVE, EXIT_INCONCLUSIVE, id="the engine was busy"),
        pytest.param(EXIT_FAILED, EXIT_FAILED, id="the target is gone"),
        pytest.param(EXIT_OK, EXIT_INCONCLUSIVE, id="its requests ran out"),
    ],
)
def test_a_loop_that_ended_within_its_warm_up_keeps_its_code(ended: int, code: int) -> None:
    def brief(one: Options) -> tuple[str, int, Measured]:
        del one
        return "s-0", ended, Measured(rows=[], window_ns=(10_000_000_000, 10_000_000_000))

    for seen in (climbed(brief, OPTIONS, factor=2), saturated(brief, OPTIONS, UNKNOWN)):
        assert (code, [], []) == (seen.code, seen.points, seen.run_ids)


def test_users_grow_until_answers_do_not_where_tokens_are_not_counted() -> None:
    asked: list[Options] = []
    known = target(asked)

    def blind(one: Row) -> Row:
        return msgspec.structs.replace(one, record=msgspec.structs.replace(one.record, tokens_out=None))

    def carry(one: Options) -> tuple[str, int, Measured]:
        run_id, code, measured = known(one)
        return run_id, code, replace(measured, rows=[blind(row) for row in measured.rows])

    seen = saturated(carry, OPTIONS, UNKNOWN)

    assert [1, 4, 16, 64, 256] == [one.closed for one in asked]
    assert (64, 200.0, None) == (seen.best.users, seen.best.rate_rps, seen.best.tokens_out_per_s)
