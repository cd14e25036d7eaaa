"""The few shapes of PromQL that count requests."""

import re

import pytest

from slo.expression import parse
from slo.promql import QUERY_CHARACTERS_MAX, PromqlError, selected
from telemetry.queries.bounds import Figure

RATE = "sum(rate(http_requests_total{%s}[{{.window}}]))"


@pytest.mark.parametrize(
    "query",
    [
        'http_requests_total{code="500"}',
        'rate(http_requests_total{code="500"}[5m])',
        'sum(rate(http_requests_total{code="500"}[{{.window}}]))',
        'sum by (job) (increase(http_requests_total{code="500",}[{{ .window }}]))',
        ' sum( rate( http_requests_total{ code = "500" } [5m] ) ) ',
    ],
)
def test_shapes_of_one_query(query: str) -> None:
    assert ("http_status == 500",) == selected(query).conditions


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ('code=~"5.."', "500 <= http_status and http_status <= 599"),
        ('status=~"5xx"', "500 <= http_status and http_status <= 599"),
        ('status_code=~"^50.$"', "500 <= http_status and http_status <= 509"),
        ('code!~"5.."', "not (500 <= http_status and http_status <= 599)"),
        ('code!="200"', "not (http_status == 200)"),
        ('code=~"(5..|429)"', "(500 <= http_status and http_status <= 599) or (http_status == 429)"),
        ('envoy_response_code_class="5"', "500 <= http_status and http_status <= 599"),
        ('model_name="it\'s"', "model == 'it''s'"),
        ('model_name="a\\"b"', "model == 'a\"b'"),
    ],
)
def test_labels_of_status_and_model_are_conditions(labels: str, expected: str) -> None:
    found = selected(RATE % labels)

    assert ((expected,), ()) == (found.conditions, found.dropped)
    assert parse(expected)


def test_other_labels_are_told() -> None:
    assert ("job", "model_name") == selected(RATE % 'job="x",model_name=~"a|b"').dropped


def test_a_bucket_is_a_threshold() -> None:
    found = selected('vllm:time_to_first_token_seconds_bucket{le="0.5"}')
    whole = selected("vllm:time_to_first_token_seconds_count")
    endless = selected('vllm:time_to_first_token_seconds_bucket{le="+Inf"}')

    assert (Figure.TTFT_S, 0.5) == (found.figure, found.threshold_s)
    assert [(None, None, Figure.TTFT_S)] * 2 == [
        (one.figure, one.threshold_s, one.histogram) for one in (whole, endless)
    ]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("1 - a / b", "it is no sum of the rate of one metric"),
        ("up", "metric up is not one that we know the meaning of"),
        (RATE % 'code=~".*"', "status '.*' is not made of statuses"),
        (RATE % 'code="\'; DROP TABLE"', "is not made of statuses"),
        (RATE % "code=500", "are not of the form"),
        ("vllm:time_to_first_token_seconds_bucket", "a bucket has no le"),
        ('vllm:time_to_first_token_seconds_bucket{le=~"1"}', "a bucket has no le"),
        ('vllm:time_to_first_token_seconds_bucket{le="x"}', "le 'x' is no number"),
    ],
)
def test_every_other_query_is_refused(query: str, expected: str) -> None:
    with pytest.raises(PromqlError, match=re.escape(expected)):
        selected(query)


def test_a_query_is_bounded() -> None:
    assert selected("http_requests_total".ljust(QUERY_CHARACTERS_MAX))
    with pytest.raises(PromqlError, match="a query of 4001 characters; allowed are 4000"):
        selected("http_requests_total".ljust(QUERY_CHARACTERS_MAX + 1))
