"""Says that ends have names that the rest of the project uses, and that a wish asks for nothing by itself."""

from loadtest.fleet.requests import End, Wish


def test_ends() -> None:
    assert {"ok", "abandoned", "lost", "too_long", "rejected"} == set(End)


def test_a_wish_asks_for_nothing_by_itself() -> None:
    assert ((), 0, None, None) == (Wish().prefix, Wish().prefix_tokens, Wish().patience_s, Wish().deadline_s)
