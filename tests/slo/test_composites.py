"""SLOs of several weighed objectives; spec/slo.md 4."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from views import judged

from slo.alarms import Judged
from slo.composites import composites, slo_of


def part(name: str, weight: float, good: int, bad: int, target: float = 0.99) -> Judged:
    one = judged(name, good=good, bad=bad)
    objective = replace(one.watched.objective, weight=weight, target=target)
    return replace(one, watched=replace(one.watched, objective=objective))


def test_the_mean_is_by_weight_of_what_each_part_attains() -> None:
    """By hand: (3 * 0.98 + 1 * 1) / 4 = 0.985 of a target of (3 * 0.99 + 1 * 0.95) / 4 = 0.98: a quarter left."""
    (one,) = composites([part("chat/fast", 3, 980, 20), part("chat/whole", 1, 7, 0, 0.95), judged("alone")])

    assert (one.name, one.service, one.group) == ("chat", "chat", {"endpoint": "chat"})
    assert [one.target, one.sli] == pytest.approx([0.98, 0.985])
    assert one.remaining == pytest.approx(0.25)
    assert [(each.name, each.weight) for each in one.parts] == [("chat/fast", 3), ("chat/whole", 1)]
    assert one.unknown_weight_ratio == 0


def test_a_part_of_which_nothing_is_known_carries_no_weight() -> None:
    (one,) = composites([part("chat/a", 1, 0, 0), part("chat/b", 3, 99, 1)])
    (none,) = composites([replace(part("chat/a", 1, 1, 0), found=None)])

    assert [one.sli, one.target, one.remaining] == pytest.approx([0.99, 0.99, 0])
    assert (one.unknown_weight_ratio, one.parts[0].sli) == (0.25, None)
    assert (none.sli, none.target, none.remaining, none.unknown_weight_ratio) == (None, None, None, 1)


def test_each_group_is_a_composite_of_its_own() -> None:
    parts = [replace(part(f"chat/{name}", 1, 9, bad), group={"endpoint": str(bad)}) for name in "ab" for bad in (0, 1)]
    found = composites(parts)

    assert [(one.group["endpoint"], one.sli) for one in found] == [("0", 1.0), ("1", 0.9)]
    assert [[each.name for each in one.parts] for one in found] == [["chat/a", "chat/b"]] * 2


def test_a_part_names_its_whole() -> None:
    assert (slo_of("chat/fast"), slo_of("chat")) == ("chat", "chat")


@settings(max_examples=30)
@given(st.lists(st.tuples(st.floats(0.1, 9), st.integers(0, 99), st.integers(0, 99)), min_size=1, max_size=5))
def test_a_mean_lies_between_its_parts(of: list[tuple[float, int, int]]) -> None:
    (one,) = composites([part(f"x/{n}", weight, good, bad) for n, (weight, good, bad) in enumerate(of)])
    known = [each.sli for each in one.parts if each.sli is not None]

    assert (one.sli is None) == (not known)
    assert one.sli is None or min(known) - 1e-12 <= one.sli <= max(known) + 1e-12
    assert 0 <= one.unknown_weight_ratio <= 1
