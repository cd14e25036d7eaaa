"""SLOs of other systems as documents of ours; test_sloth and test_pyrra go the whole way."""

import yaml
from slo_texts import loaded, section, told

from slo.imported import Options, Promise, kept, meaning, of_errors, of_latency
from slo.promql import selected
from slo.terms import written

PROMISE = Promise(name="x", service="s", target=0.99, duration="30d", labels={})


def test_what_errors_and_total_share_is_no_error() -> None:
    errors = selected('http_requests_total{model_name="m",code="500"}')
    total = selected('http_requests_total{model_name="m"}')
    (one,) = loaded(yaml.safe_dump(of_errors(PROMISE, errors, total, Options(endpoint="chat")))).objectives

    assert "ok and (not (http_status == 500))" == written(one.indicator.good or False)
    assert "(endpoint == 'chat') and (model == 'm')" == written(one.indicator.only or False)


def test_errors_that_no_label_tells_apart_are_what_ended_badly() -> None:
    every = selected("http_requests_total")
    (one,) = loaded(yaml.safe_dump(of_errors(PROMISE, every, every, Options()))).objectives

    assert "ok" == written(one.indicator.good or False)


def test_a_bucket_is_a_limit() -> None:
    bucket = selected('vllm:time_to_first_token_seconds_bucket{le="0.5"}')
    (one,) = loaded(yaml.safe_dump(of_latency(PROMISE, bucket, selected("http_requests_total"), Options()))).objectives

    assert "ok and (ttft_s <= 0.5)" == written(one.indicator.good or False)


def test_a_query_without_meaning_is_a_mistake_unless_it_may_be_kept() -> None:
    found = section("q: up")
    meaning(found, "q", "up", Options(keep_promql=True))

    assert [] == told(found)
    assert "kept as PromQL, and not evaluated here" in found.findings.lints[0]
    assert meaning(found, "q", "up", Options()) is None
    assert "allowed a query of a metric that we know, or --keep-promql" in told(found)[0]
    assert ("x",) == loaded(yaml.safe_dump(kept(PROMISE, "good", ("a", "b")))).foreign
