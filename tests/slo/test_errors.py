"""What the errors of this room say."""

import pytest

from slo.errors import CountsError, ObjectiveError, SloError


@pytest.mark.parametrize(
    ("where", "line"),
    [
        pytest.param("chat.yaml:12", "chat.yaml:12: spec.target: found 1.5, allowed [0, 1)", id="in a file"),
        pytest.param("", "spec.target: found 1.5, allowed [0, 1)", id="without a file"),
    ],
)
def test_an_objective_error_names_place_key_found_and_allowed(where: str, line: str) -> None:
    error = ObjectiveError(where, "spec.target", "1.5", "[0, 1)")

    assert line == str(error)
    assert (where, "spec.target", "1.5", "[0, 1)") == (error.where, error.key, error.found, error.allowed)


def test_all_have_one_root() -> None:
    assert issubclass(ObjectiveError, SloError)
    assert issubclass(CountsError, SloError)
