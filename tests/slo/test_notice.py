"""Tests of slo.notice."""

from dataclasses import replace

import pytest
from notices import FIRING, RESOLVED

from slo.notice import ANNOTATIONS_BYTES_MAX, fitted


def test_the_key_is_the_same_for_each_try_and_differs_for_each_thing_said() -> None:
    assert FIRING.key == "00000000000000ab-2-firing-0"
    assert len({FIRING.key, RESOLVED.key, replace(FIRING, n=1).key, replace(FIRING, occurrence=3).key}) == 4


def test_an_alert_without_words_is_called_by_its_name() -> None:
    assert replace(FIRING, annotations={}).summary == "chat-good"
    assert replace(FIRING, annotations={}, labels={}).summary == "alert"
    assert replace(FIRING, labels={}).severity == "info"


def size(annotations: dict[str, str]) -> int:
    return sum(len(name.encode()) + len(text.encode()) for name, text in annotations.items())


@pytest.mark.parametrize("beyond", [0, 1])
def test_annotations_beyond_the_bound_are_cut(beyond: int) -> None:
    given = {"a": "b" * 100, "c": "ä" * ((ANNOTATIONS_BYTES_MAX - 102) // 2) + "x" * beyond}
    kept = fitted(given)

    assert size(kept) <= ANNOTATIONS_BYTES_MAX
    assert (kept == given) == (beyond == 0)
    assert kept["c"].endswith("[cut]") == (beyond == 1)


def test_what_comes_behind_a_cut_is_left_out() -> None:
    assert list(fitted({"a": "b" * ANNOTATIONS_BYTES_MAX, "c": "d"})) == ["a"]
