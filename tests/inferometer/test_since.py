"""How people write spans and instants."""

import pytest

from inferometer.errors import ConfigurationError
from inferometer.since import SPAN_MS_MAX, instant_ms

NOW_MS = 1_800_000_000_000


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("now", NOW_MS),
        ("250ms", NOW_MS - 250),
        ("90s", NOW_MS - 90_000),
        ("10m", NOW_MS - 600_000),
        ("1.5h", NOW_MS - 5_400_000),
        ("800d", NOW_MS - SPAN_MS_MAX),
        ("2027-01-15T08:00:00Z", NOW_MS),
        ("2027-01-15T08:00:00", NOW_MS),
        ("2027-01-15T09:00:00+01:00", NOW_MS),
    ],
)
def test_a_span_counts_back_and_a_time_stands(text: str, expected: int) -> None:
    assert expected == instant_ms(text, NOW_MS, "--since")


@pytest.mark.parametrize("text", ["", "10", "m", "-5m", "801d", "yesterday", "10 m"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^--since: found .*allowed: a span like"):
        instant_ms(text, NOW_MS, "--since")
