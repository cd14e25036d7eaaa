import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from engine_pages import made, page
from engine_server import body, engine, log

from inferometer import probe_engine
from inferometer.errors import ConfigurationError, UnreachableError
from inferometer.listing import Row
from inferometer.probe_engine import bucket, table
from probes.aliases import Engine
from probes.normalise import Normalised, Scrape, normalise
from probes.page import read
from telemetry.percentile import P50, P99
from telemetry.samples import EngineHistogram


def rows(name: str) -> Mapping[object, Row]:
    return {row["metric"]: row for row in table(made(name))}


def test_each_metric_has_its_value_its_source_and_how_exact_it_is() -> None:
    told = rows("vllm")

    shown = {name: (told[name]["value"], told[name]["how"]) for name in ("running", "kv_used_ratio_max", "ttft_n")}
    assert {
        "running": (128, "exact"),
        "kv_used_ratio_max": (0.015993163227933094, "largest"),
        "ttft_n": (203, "exact"),
    } == shown
    assert "vllm:num_requests_running" == told["running"]["source"]
    assert 48 == told["success_total.length"]["value"]
    assert 1048576 == told["kv_tokens_max"]["value"]


def test_a_percentile_is_a_bucket_with_its_width() -> None:
    one = rows("vllm")["ttft_p95_s"]
    [ttft] = [h for h in made("vllm").histograms if h.metric == "ttft"]
    at = [bound == one["value"] for bound in ttft.le].index(True)

    assert ("bucketed", ttft.le[at] - ttft.le[at - 1]) == (one["how"], one["width"])
    assert ttft.cumulative[at - 1] < 0.95 * ttft.cumulative[-1] <= ttft.cumulative[at]


def histogram(*cumulative: int) -> EngineHistogram:
    le = (0.1, 0.5, float("inf"))
    return EngineHistogram(ts=1, endpoint="e", replica="r", metric="ttft", le=le, cumulative=cumulative, sum=1.0)


BUCKETS = {
    "in the first bucket": (histogram(50, 90, 100), P50, (0.0, 0.1)),
    "in the second": (histogram(49, 90, 100), P50, (0.1, 0.5)),
    "above all bounds": (histogram(10, 20, 100), P99, (0.5, float("inf"))),
    "too few for it": (histogram(10, 20, 99), P99, None),
    "nothing at all": (histogram(0, 0, 0), P50, None),
}


@pytest.mark.parametrize(("one", "p_ppm", "expected"), BUCKETS.values(), ids=BUCKETS)
def test_the_bucket_of_a_percentile(one: EngineHistogram, p_ppm: int, expected: tuple[float, float] | None) -> None:
    assert expected == bucket(one, p_ppm)


def test_a_percentile_that_cannot_be_told_is_none_and_says_why() -> None:
    few, open_end = (
        {row["metric"]: row for row in table(made_of(name))}["ttft_p99_s"]
        for name in (histogram(1, 2, 3), histogram(1, 2, 900))
    )

    assert ((None, "n too small"), (None, "above 0.5")) == (
        (few["value"], few["how"]),
        (open_end["value"], open_end["how"]),
    )


def made_of(one: EngineHistogram) -> Normalised:
    bounds = ("0.1", "0.5", "+Inf")
    name = "vllm:time_to_first_token_seconds"
    lines = [f'{name}_bucket{{le="{le}"}} {n}' for le, n in zip(bounds, one.cumulative, strict=True)]
    text = "\n".join([*lines, f"{name}_count {one.cumulative[-1]}", f"{name}_sum 1", ""])
    return normalise(read(text.encode(), Engine.VLLM), Scrape(ts=1, endpoint="e", replica="r", engine=Engine.VLLM))


def test_what_is_not_shown_is_listed_with_what_would_show_it() -> None:
    missing = {name: row["note"] for name, row in rows("trt-llm").items() if row["how"] == "missing"}

    assert "return_perf_metrics: true in the LLM arguments" == missing["decode_time"]
    assert "running" not in missing
    assert {"value": None, "note": "--metrics-config histogram_latencies=true"} == {
        name: {row["metric"]: row for row in table(made_triton())}["ttft"][name] for name in ("value", "note")
    }


def made_triton() -> Normalised:
    lines = [line for line in page("triton").splitlines(keepends=True) if b"first_response" not in line]
    scrape = Scrape(ts=1, endpoint="e", replica="r", engine=Engine.TRITON)
    return normalise(read(b"".join(lines), Engine.TRITON), scrape)


def test_counters_have_a_rate_from_the_second_look_on_and_a_restart_makes_it_no_negative_one() -> None:
    scrape = Scrape(ts=1, endpoint="e", replica="r", engine=Engine.VLLM)
    one, two, three = (
        normalise(read(f"vllm:prompt_tokens_total {n}\n".encode(), Engine.VLLM), scrape) for n in (100, 130, 7)
    )

    rates = [next(iter(table(now, was, 2.0)))["per_s"] for was, now in ((None, one), (one, two), (two, three))]

    assert [None, 15.0, 3.5] == rates


def test_it_is_printed_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    with engine({"/metrics": body(page("vllm"))}) as endpoint:
        code = probe_engine.run(f"http://127.0.0.1:{endpoint.address[1]}", None, "json")
    told = {row["metric"]: row for row in map(json.loads, capsys.readouterr().out.splitlines())}

    assert (0, 128, "exact") == (code, told["running"]["value"], told["running"]["how"])


def test_a_table_says_what_engine_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    with engine({"/metrics": body(page("vllm"))}) as endpoint:
        probe_engine.run(f"http://127.0.0.1:{endpoint.address[1]}", None, "markdown")

    assert "vllm 0.32.0 at http://127.0.0.1" in capsys.readouterr().out


def test_a_table_has_few_digits_and_says_what_would_show_what_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    with engine({"/metrics": body(page("vllm"))}) as endpoint:
        probe_engine.run(f"http://127.0.0.1:{endpoint.address[1]}", None, "markdown")
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in capsys.readouterr().out.splitlines()]
    told = {line[0]: line[1:] for line in lines if line}

    assert ["value", "width", "how", "source"] == told["metric"]
    assert ["0.0159932", "n/a", "mean", "vllm:kv_cache_usage_perc"] == told["kv_used_ratio"]
    assert ["n/a", "n/a", "missing", "VLLM_COMPUTE_NANS_IN_LOGITS=1"] == told["corrupted_requests_total"]
    assert "1795698458" == told["process_start_unix_s"][0]


def test_a_key_is_sent_and_never_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    key = tmp_path / "key"
    key.write_text("s3cret\n")
    with engine({"/metrics": body(page("vllm"))}) as endpoint:
        probe_engine.run(f"http://127.0.0.1:{endpoint.address[1]}", None, "csv", key_file=key)
        received = [one.received for one in endpoint.transcripts(4)]

    assert all(b"Authorization: Bearer s3cret\r\n" in one for one in received)
    assert "s3cret" not in "".join(capsys.readouterr())


WRONG = ("localhost:8000", "ftp://h", "http://", "http://u:p@h:8000", "http://h:8000/v1", "http://h:x", "http://[::1")


@pytest.mark.parametrize("url", WRONG)
def test_a_url_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="allowed: http"):
        probe_engine.run(url, None, "json")


def test_an_engine_that_nobody_knows_and_a_file_that_is_not_there_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="allowed: vllm"):
        probe_engine.run("http://127.0.0.1:8000", "llvm", "json")
    with pytest.raises(ConfigurationError, match="--key-file"):
        probe_engine.run("http://127.0.0.1:8000", None, "json", key_file=tmp_path / "none")


def test_nobody_at_home_and_an_engine_without_metrics_end_with_what_helps() -> None:
    with engine({}) as endpoint:
        url = f"http://127.0.0.1:{endpoint.address[1]}"
        with pytest.raises(
            UnreachableError, match="status: vllm shows its metrics with: start it without --disable-log"
        ):
            probe_engine.run(url, None, "json")
        with pytest.raises(UnreachableError, match="status: sglang shows its metrics with: --enable-metrics"):
            probe_engine.run(url, "sglang", "json")
        log(endpoint, 8)
    with pytest.raises(UnreachableError, match="refused"):
        probe_engine.run(url, None, "json")


def test_an_engine_that_does_not_tell_has_to_be_named() -> None:
    with engine({"/v1/models": body(b"{}", "application/json")}, {}) as endpoint:
        url = f"http://127.0.0.1:{endpoint.address[1]}"
        with pytest.raises(UnreachableError, match="say --engine NAME"):
            probe_engine.run(url, None, "json")
