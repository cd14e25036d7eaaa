"""Templates: each one's numbers stand in its expression, and its expression is of the language."""

import pytest

from slo.templates import TEMPLATES, TRAITS, Counts, WorkloadClass, good
from slo.terms import written

WHOLES = (Counts.FLOWS, Counts.ITEMS, Counts.SLICES, Counts.CALLS)
"""What has no expression: its numbers stand beside it."""


@pytest.mark.parametrize("name", list(TEMPLATES))
def test_a_template_is_complete(name: str) -> None:
    template = TEMPLATES[name]

    assert 0 < template.target < 1
    assert all(f"{{{number}}}" in template.good for number in template.numbers) or template.counts in WHOLES
    assert all(preset.keys() == template.numbers.keys() for preset in template.presets.values())
    assert (good(template, {}) is None) == (not template.good)


@pytest.mark.parametrize(
    ("name", "numbers", "expected"),
    [
        (
            "endpoint_good_request",
            {},
            (
                "ok and complete and (ttft_s <= 1 + (0.0002 * coalesce(tokens_in, 0)))"
                " and (tpot_s <= 0.05) and (gap_max_s <= 2)"
            ),
        ),
        ("endpoint_p99_sla", {"sla_s": 5.0}, "e2e_s <= 5"),
        (
            "endpoint_interactive",
            TEMPLATES["endpoint_interactive"].presets["405b"],
            "ok and (ttft_s <= 6) and (tpot_s <= 0.175)",
        ),
    ],
)
def test_a_number_that_is_set_takes_the_place_of_the_templates(
    name: str, numbers: dict[str, float], expected: str
) -> None:
    condition = good(TEMPLATES[name], numbers)

    assert condition is not None
    assert expected == written(condition)


def test_every_class_has_its_traits_in_stars() -> None:
    assert set(WorkloadClass) == set(TRAITS)
    for traits in TRAITS.values():
        assert {traits.state, traits.concurrency, traits.billing, traits.latency} <= {0, 1, 2, 3}
