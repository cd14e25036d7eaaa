import re

import pytest

from telemetry.dialects import DIALECTS
from telemetry.semconv import (
    DURATION_BOUNDS_S,
    INSTRUMENTS,
    OPT_IN,
    TOKEN_BOUNDS,
    Generation,
    Measure,
    generation,
    operation,
)


@pytest.mark.parametrize(
    ("opt_in", "expected"),
    [
        ("", Generation.MAIN),
        (OPT_IN, Generation.GENAI),
        ("http/dup, gen_ai_latest_experimental", Generation.GENAI),
        ("gen_ai_latest", Generation.MAIN),
    ],
)
def test_the_newest_names_are_spoken_only_when_asked_for(opt_in: str, expected: Generation) -> None:
    assert generation(opt_in) == expected


def test_every_dialect_of_inference_is_an_operation() -> None:
    assert {dialect.api: operation(dialect.api) for dialect in DIALECTS} == {
        "openai_chat": "chat",
        "openai_completions": "text_completion",
        "openai_responses": "chat",
        "anthropic_messages": "chat",
    }
    assert operation("http") is None


def test_every_measure_has_a_name_in_some_generation_and_no_two_share_one() -> None:
    for instruments in INSTRUMENTS.values():
        names = [instrument.name for instrument in instruments.values()]
        assert len(set(names)) == len(names)
        assert all(re.fullmatch(r"(gen_ai|inferometer)(\.[a-z_]+)+", name) for name in names)
    assert set(Measure) == {measure for instruments in INSTRUMENTS.values() for measure in instruments}


def test_bounds_grow_as_the_conventions_say() -> None:
    assert DURATION_BOUNDS_S == pytest.approx([0.01 * 2**power for power in range(14)])
    assert (TOKEN_BOUNDS[0], TOKEN_BOUNDS[-1]) == (1, 67_108_864)
