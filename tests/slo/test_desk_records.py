"""What people put on the desk."""

from dataclasses import replace

import pytest

from slo.desk_records import (
    NAME_CHARS_MAX,
    OVERRIDE_S_MAX,
    TEXT_CHARS_MAX,
    Marker,
    MarkerKind,
    Override,
    check_override,
)
from slo.errors import ObjectiveError


def override(length_s: int = 60, who: str = "ann", reason: str = "a fix") -> Override:
    return Override(service="", slo="", who=who, reason=reason, at_s=1_000, until_s=1_000 + length_s)


@pytest.mark.parametrize("length_s", [1, OVERRIDE_S_MAX])
def test_an_override_of_up_to_a_day_is_taken(length_s: int) -> None:
    check_override(override(length_s))


@pytest.mark.parametrize(
    ("refused", "key"),
    [
        pytest.param(override(0), "until", id="it ends when it begins"),
        pytest.param(override(OVERRIDE_S_MAX + 1), "until", id="longer than a day"),
        pytest.param(override(who=" "), "who", id="nobody answers for it"),
        pytest.param(override(reason=""), "reason", id="without a reason"),
    ],
)
def test_another_is_refused(refused: Override, key: str) -> None:
    with pytest.raises(ObjectiveError) as caught:
        check_override(refused)

    assert caught.value.key == key


def test_a_marker_has_a_name_of_what_it_says() -> None:
    one = Marker(at_s=1, kind=MarkerKind.DEPLOY, service="s", actor="ci")

    assert len(one.id) == 16
    assert one.id == replace(one, withdrawn=True).id
    assert len({one.id, replace(one, at_s=2).id, replace(one, text="x").id, replace(one, end_s=2).id}) == 4


def test_names_and_texts_have_their_bounds() -> None:
    """The API holds them: tests/slo/test_api_asked.py."""
    assert (NAME_CHARS_MAX, TEXT_CHARS_MAX) == (256, 2_000)
