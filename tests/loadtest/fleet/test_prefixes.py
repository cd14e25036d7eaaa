"""Says what of a prompt's beginning an engine still holds."""

from loadtest.fleet.prefixes import Prefixes
from loadtest.fleet.requests import Request, Wish


def ask(*chunks: int, tokens: int = 100, size: int = 32) -> Request:
    return (0.0, tokens, 10, Wish(prefix=chunks, prefix_tokens=size))


def served(prefixes: Prefixes, request: Request, sequence: int) -> tuple[int, int]:
    """Let a request compute its prompt, and return what was held of it before."""
    found = prefixes.found(request)
    prefixes.take(request, sequence)
    prefixes.keep(request, sequence)
    return found


def test_a_beginning_is_held_once_it_was_computed() -> None:
    prefixes = Prefixes(16)

    assert (0, 0) == served(prefixes, ask(1, 2), 1)
    assert (64, 0) == served(prefixes, ask(1, 2, 3), 2)
    assert (32, 0) == prefixes.found(ask(1, 7))
    assert (96, 160, 64) == (prefixes.pinned, prefixes.shared, prefixes.excess)


def test_what_nobody_uses_stays_until_there_is_no_room() -> None:
    prefixes = Prefixes(16)
    served(prefixes, ask(1, 2), 1)
    prefixes.release(1, 110)

    assert (64, 64) == prefixes.found(ask(1, 2))
    assert (0, 0) == (prefixes.pinned, prefixes.shared)

    prefixes.squeeze(112)  # 64 of the beginning, 48 of its own in three blocks
    assert (64, 64) == prefixes.found(ask(1, 2))
    prefixes.squeeze(60)  # the end of the beginning goes first
    assert (32, 32) == prefixes.found(ask(1, 2))
    prefixes.squeeze(0)
    assert (0, 0) == prefixes.found(ask(1, 2))


def test_the_last_token_is_always_computed() -> None:
    prefixes = Prefixes(16)
    served(prefixes, ask(1, 2, tokens=64), 1)

    assert (32, 0) == prefixes.found(ask(1, 2, tokens=64))
    assert (64, 0) == prefixes.found(ask(1, 2, tokens=65))


def test_two_that_compute_the_same_at_once_share_nothing() -> None:
    prefixes = Prefixes(16)
    prefixes.take(ask(1), 1)
    prefixes.take(ask(1), 2)
    prefixes.keep(ask(1), 1)
    prefixes.keep(ask(1), 2)

    assert (32, 32) == (prefixes.pinned, prefixes.shared)

    prefixes.release(2, 32)
    prefixes.release(1, 32)
    assert (32, 32) == prefixes.found(ask(1))


def test_requests_without_a_beginning_take_part_in_the_line_alone() -> None:
    prefixes = Prefixes(16)
    plain: Request = (0.0, 40, 10, None)

    assert (0, 0) == served(prefixes, plain, 1)
    assert (0, 0) == served(prefixes, ask(1, size=8), 2)  # less than a block
    prefixes.release(1, 40)
    served(prefixes, ask(9), 3)
    prefixes.release(3, 32)
    prefixes.squeeze(32)

    assert (32, 32) == prefixes.found(ask(9))


def test_chunks_of_another_size_are_others() -> None:
    prefixes = Prefixes(16)
    served(prefixes, ask(1), 1)

    assert (0, 0) == prefixes.found(ask(1, size=48))
