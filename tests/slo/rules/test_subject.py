"""What rules about the requests of an endpoint and model share."""

import pytest

from slo.counts import Counts
from slo.rules.subject import deff, labels, share, where


def test_a_subject_is_its_endpoint_and_its_model_if_it_has_one() -> None:
    row = {"endpoint": "chat", "model": "", "n": 1}

    assert (labels(row), where(row)) == ({"endpoint": "chat", "model": ""}, "chat")
    assert where({"endpoint": "chat", "model": "m"}) == "chat m"


def test_a_share_of_nothing_has_no_ratio() -> None:
    assert share(Counts(eligible=60, bad=4)) == "4 of 60 (6.67%)"
    assert share(Counts()) == "0 of 0"


@pytest.mark.parametrize(
    ("bad", "squares", "effect"),
    [
        pytest.param(0, 0, 1.0, id="nothing was bad"),
        pytest.param(1_440, 1_440, 1.0, id="one in each minute varies less than chance"),
        pytest.param(17, 17, 1.0, id="one in each of 17 minutes is chance"),
        pytest.param(17, 17 * 17, 17 - 17 / 1_440, id="17 in one minute"),
    ],
)
def test_what_comes_in_bursts_counts_less(bad: int, squares: int, effect: float) -> None:
    assert deff(bad, squares) == pytest.approx(effect)
