"""The limits that an objective sets, found with the judge."""

from dataclasses import replace

import pytest

from slo.expression import parse
from slo.limits import Limits, limits
from slo.objective import Indicator, Objective, Rolling, Traffic
from slo.templates import TEMPLATES
from slo.watched import TOKENS_IN


def objective(good: str | None, only: str | None = None, traffic: Traffic = Traffic.USER) -> Objective:
    indicator = Indicator(
        good=None if good is None else parse(good), only=None if only is None else parse(only), traffic=traffic
    )
    return Objective(name="a", service="s", target=0.99, window=Rolling(length_s=86_400), indicator=indicator)


@pytest.mark.parametrize(
    ("good", "ttft_us", "e2e_us"),
    [
        ("e2e_s <= 0.8", None, 800_000),
        ("ok and ttft_s <= 2 and tpot_s <= 0.2", 2_000_000, None),
        ("ttft_s < 1 and e2e_s <= 20", 999_999, 20_000_000),
        ("ok", None, None),
        ("tokens_in <= 10", None, None),
        (None, None, None),
    ],
)
def test_a_limit_is_the_slowest_that_is_good(good: str | None, ttft_us: int | None, e2e_us: int | None) -> None:
    assert limits([objective(good)], "chat", "m") == Limits(ttft_us=ttft_us, e2e_us=e2e_us)


def test_the_templates_set_the_limits_of_their_numbers() -> None:
    """A limit that grows with the prompt is that of a long one: 1 s and 0.2 ms for each of its tokens."""
    found = {
        name: limits([objective(one.good.format(**one.numbers))], "chat", "m")
        for name, one in TEMPLATES.items()
        if name.startswith("endpoint_")
    }

    assert found["endpoint_p99_sla"] == Limits(e2e_us=800_000)
    assert found["endpoint_good_request"] == Limits(ttft_us=1_000_000 + 200 * TOKENS_IN)
    assert found["endpoint_interactive"] == Limits(ttft_us=2_000_000)


def test_the_least_limit_of_those_that_speak_of_an_endpoint_holds() -> None:
    several = [
        objective("e2e_s <= 3"),
        objective("e2e_s <= 2", "endpoint == 'chat'"),
        objective("e2e_s <= 1", "endpoint == 'other'"),
        objective("e2e_s <= 0.5", traffic=Traffic.PROBE),
    ]

    assert limits(several, "chat", "m").e2e_us == 2_000_000
    assert limits(several, "mail", "m").e2e_us == 3_000_000
    assert limits([], "chat", "m") == Limits()
    assert limits([replace(several[0], name="b")], "chat", "").e2e_us == 3_000_000
