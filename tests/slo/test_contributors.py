"""Where bad requests are concentrated, in words: never by what every request has."""

import pytest
from explain_rig import items

from slo.contributors import endpoints, top_contributors
from slo.explain_words import LISTED_MAX, NAMED_MAX
from telemetry.queries.excess import LIFT_MIN


def row(dim: str, value: str, **known: float) -> dict[str, object]:
    plain = {"n": 100, "bad": 50, "ratio_ref": 0.02, "excess": 48.0, "share": 0.5, "lift": 2.0, "days": 7, "one_in": 1}
    return {"dim": dim, "value": value, **plain, **known}


@pytest.mark.parametrize(
    ("found", "words"),
    [
        pytest.param(
            row("replica", "r1"),
            "replica r1 (with 50 % of them; 50 % of its 100 requests are bad, 2 times the share of all)",
            id="a value with its share and its lift",
        ),
        pytest.param(row("prompt_length", "512"), "input length 512 to 1023 tokens (", id="a band of lengths"),
        pytest.param(row("prompt_length", "0"), "input length 0 to 0 tokens (", id="the band of no tokens"),
        pytest.param(row("prompt_length", ""), "unnamed input length (", id="an unknown length"),
        pytest.param(row("workload_class", "batch"), "class batch (", id="a class"),
        pytest.param(row("tenant", ""), "unnamed tenant (", id="requests without a tenant"),
        pytest.param(row("region", "a\nb"), "region a\N{REPLACEMENT CHARACTER}b (", id="a name of two lines"),
        pytest.param(row("region", "eu", lift=LIFT_MIN), "region eu (", id="at the bound"),
    ],
)
def test_what_stands_out_is_named(found: dict[str, object], words: str) -> None:
    said = top_contributors([found]).words

    assert said.startswith(f"96 bad requests more than in the same hours of the 7 days before, concentrated in {words}")
    assert "caused" not in said


def test_what_every_request_has_says_nothing() -> None:
    part = top_contributors(
        [row("endpoint", "chat", lift=1.0, share=1.0, days=1), row("model", "m", lift=1.19, days=1)]
    )

    assert part.words == (
        "48 bad requests more than in the same hours of the 1 day before, spread: no value of any dimension stands out"
    )
    assert [("endpoint", "chat"), ("model", "m")] == [(one["dim"], one["value"]) for one in items(part)]


def test_without_a_day_before_there_is_nothing_to_compare_with() -> None:
    assert top_contributors([row("replica", "r", days=0)]).words.startswith(
        "96 bad requests (no day before to compare with), concentrated in replica r"
    )
    assert top_contributors([]).words == "no more bad requests than in the same hours of the 7 days before"


def test_a_part_of_the_days_before_is_called_so() -> None:
    part = top_contributors([row("replica", "r", one_in=4)])

    assert part.words.startswith(
        "96 bad requests more than in the same hours of the 7 days before (one second in 4 of them), concentrated in"
    )
    assert [4] == [one["one_in"] for one in items(part)]


def test_the_list_is_bounded() -> None:
    part = top_contributors([row("replica", f"r{at}") for at in range(LISTED_MAX + 1)])

    assert part.words.endswith(f"; {LISTED_MAX + 1 - NAMED_MAX} more")
    assert len(items(part)) == LISTED_MAX


def test_endpoints_are_read_from_the_same_answer() -> None:
    assert endpoints([row("replica", "x"), row("endpoint", "b"), row("endpoint", "a")]) == ("a", "b")
