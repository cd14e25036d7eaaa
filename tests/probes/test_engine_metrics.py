"""Every trap of a scrape, against a real server on a socket."""

import gzip

import pytest
from engine_pages import page
from engine_server import NOT_FOUND, PLAIN, VLLM, body, engine, head, json_of, log, models, says

from probes.aliases import Engine
from probes.engine_metrics import ACCEPT, QUESTION_S_MAX, SCRAPE_S_MAX, EngineProbe, Row, Target
from probes.page_filter import PAGE_BYTES_MAX, SAMPLES_MAX
from telemetry.fetch import Client
from telemetry.samples import EngineHistogram, EngineSample
from telemetry.testing.endpoint import Endpoint
from telemetry.testing.steps import AwaitToken, ByRequestLine, HalfClose, Pause, Send
from telemetry.testing.wire import Script, Step


def probe_of(
    endpoint: Endpoint, *, known: Engine | None = None, scrape_s: float = SCRAPE_S_MAX
) -> tuple[EngineProbe, list[str]]:
    said: list[str] = []
    target = Target(
        url=f"http://127.0.0.1:{endpoint.address[1]}/", endpoint="chat", replica="r0", engine=known, models=("cfg",)
    )
    return EngineProbe(target, Client(), scrape_s=scrape_s, tell=said.append), said


def sample(rows: list[Row]) -> EngineSample:
    [found] = [row for row in rows if isinstance(row, EngineSample)]
    return found


async def gap(script: Script, *, scrape_s: float = SCRAPE_S_MAX) -> tuple[EngineProbe, str]:
    """Scrape a server whose page is a script, and return why that failed."""
    with engine({"/metrics": script}) as endpoint:
        probe, said = probe_of(endpoint, known=Engine.VLLM, scrape_s=scrape_s)
        rows = list(await probe.ask())

    found = sample(rows)
    assert 1 == len(rows)
    assert EngineSample(ts=found.ts, endpoint="chat", replica="r0", engine="vllm", up=0, scrape_us=0) == found
    [reason] = probe.failures
    assert [f"{probe.name}: {reason}"] == said
    return probe, reason


async def test_a_page_becomes_a_row_and_its_histograms() -> None:
    with engine({"/metrics": body(page("vllm"))}) as endpoint:
        probe, said = probe_of(endpoint)
        rows = list(await probe.ask())

    found = sample(rows)
    assert (1, "vllm", "tiny-llama", 128, 0) == (found.up, found.engine, found.model, found.running, found.reset)
    assert found.scrape_us
    assert {"ttft", "itl", "e2e"} <= {row.metric for row in rows if isinstance(row, EngineHistogram)}
    assert ([], {}) == (said, dict(probe.failures))


async def test_t1_tensorrt_llm_is_never_asked_for_its_destructive_page() -> None:
    told = {"/version": says(version="1.3.0"), "/v1/models": models("tensorrt_llm"), "/metrics": says(gone="for good")}
    with engine({"/prometheus/metrics": body(page("trt-llm"))}, told) as endpoint:
        probe, _ = probe_of(endpoint)
        rows = [sample(list(await probe.ask())) for _ in range(3)]
        seen = log(endpoint, 6)

    assert [1, 1, 1] == [row.up for row in rows]
    assert 3 == seen.count("GET /prometheus/metrics HTTP/1.1")
    assert not any(line.split()[1] == "/metrics" for line in seen)


async def test_t1_tensorrt_llm_without_a_page_is_not_asked_for_the_other_one_either() -> None:
    told = {"/v1/models": models("tensorrt_llm"), "/metrics": says(gone="for good")}
    with engine({}, told) as endpoint:
        probe, _ = probe_of(endpoint)
        await probe.ask()
        seen = log(endpoint, 4)

    assert {"status": 1} == probe.failures
    assert not any(line.split()[1] == "/metrics" for line in seen)


async def test_t1_a_server_that_hides_what_it_is_is_not_asked_blindly() -> None:
    with engine(
        {path: [AwaitToken(), Send(head("401 Unauthorized")), HalfClose()] for path in ("/v1/models",)}, {}
    ) as it:
        probe, _ = probe_of(it)
        await probe.ask()
        seen = log(it, 10)

    assert {"engine_unknown": 1} == probe.failures
    assert not any(line.split()[1] == "/metrics" for line in seen)


async def test_t2_the_older_format_is_asked_for_without_any_coding() -> None:
    with engine({"/metrics": body(page("vllm"))}) as endpoint:
        probe, _ = probe_of(endpoint, known=Engine.VLLM)
        await probe.ask()
        [*_, asked] = [one.received.decode() for one in endpoint.transcripts(4)]

    assert asked.startswith("GET /metrics HTTP/1.1\r\n")
    assert {f"Accept: {ACCEPT}", "Accept-Encoding: identity"} <= set(asked.split("\r\n"))
    assert "text/plain;version=0.0.4" == ACCEPT


@pytest.mark.parametrize("name", ["vllm_ray", "vllm_kserve", "vllm_old"])
async def test_t2_other_spellings_give_the_same_values(name: str) -> None:
    with engine({"/metrics": body(page(name))}) as endpoint:
        found = sample(list(await probe_of(endpoint)[0].ask()))

    assert (128, 16, 14156) == (found.running, found.queued, found.generation_tokens_total)


async def test_t3_a_redirect_is_not_followed() -> None:
    with Endpoint() as other:
        to = f"Location: http://127.0.0.1:{other.address[1]}/metrics"
        _, why = await gap([AwaitToken(), Send(head("302 Found", PLAIN, to, "Content-Length: 0")), HalfClose()])
        with pytest.raises(TimeoutError):
            other.transcripts(1, wait_s=0.05)

    assert "redirect" == why


async def test_t3_a_gzip_bomb_is_not_unpacked() -> None:
    bomb = gzip.compress(b"vllm:num_requests_running 1\n" * 500_000, compresslevel=1)
    told = head("200 OK", PLAIN, "Content-Encoding: gzip", f"Content-Length: {len(bomb)}")

    _, why = await gap([AwaitToken(), Send(told + bomb), HalfClose()])

    assert "protocol" == why


async def test_t3_a_page_that_drips_ends_with_its_time() -> None:
    drips: list[Step] = [step for _ in range(40) for step in (Send(b"vllm:x 1\n"), Pause(0.05))]

    _, why = await gap([AwaitToken(), Send(head("200 OK", PLAIN, "Content-Length: 100000")), *drips], scrape_s=0.2)

    assert "timeout" == why
    assert (5.0, 2.0) == (SCRAPE_S_MAX, QUESTION_S_MAX)


async def test_t3_a_million_series_that_nobody_asked_for_do_not_matter() -> None:
    foreign = b'foreign{a="1"} 1\n' * 1_000_000  # the filter looks no further than the name
    with engine({"/metrics": body(foreign + page("vllm"))}) as endpoint:
        found = sample(list(await probe_of(endpoint)[0].ask()))

    assert (1, 128) == (found.up, found.running)


async def test_t3_a_million_series_of_a_wanted_name_are_a_gap() -> None:
    flood = b"".join(b'vllm:prompt_tokens_total{a="%d"} 1\n' % at for at in range(SAMPLES_MAX + 1))

    _, why = await gap(body(flood))

    assert "too_many_samples" == why


async def test_t3_a_page_that_is_too_long_is_a_gap() -> None:
    announced = head("200 OK", PLAIN, "Transfer-Encoding: chunked")
    chunk = b"%x\r\n%s\r\n" % (1 << 22, b"x" * (1 << 22))

    _, why = await gap([AwaitToken(), Send(announced), *[Send(chunk)] * (PAGE_BYTES_MAX // (1 << 22) + 1)])

    assert "too_large" == why


GAPS: dict[str, tuple[Script, str]] = {
    "JSON instead of a page": (body(b'{"a": 1}', "application/json"), "content_type"),
    "HTML instead of a page": (body(b"<html>vllm:num_requests_running 1</html>\n", "text/html"), "content_type"),
    "HTML that says it is text": (body(b"<html>\nfoo\n</html>\n"), "nothing_known"),
    "a newer format that nobody asked for": (body(page("vllm"), "application/openmetrics-text"), "content_type"),
    "a page of another engine": (body(page("tgi")), "nothing_known"),
    "a page with nothing of the engine's own": (body(b"process_start_time_seconds 1\n"), "nothing_known"),
    "an empty page": (body(b""), "nothing_known"),
    "a page that ends inside a line": (body(page("vllm")[:-3]), "cut_off"),
    "a page shorter than announced": (
        [
            AwaitToken(),
            Send(head("200 OK", PLAIN, "Content-Length: 99") + b"vllm:num_requests_running 1\n"),
            HalfClose(),
        ],
        "reset",
    ),
    "no page": ([AwaitToken(), Send(NOT_FOUND), HalfClose()], "status"),
    "an engine in trouble": ([AwaitToken(), Send(head("503 Unavailable", PLAIN, "Content-Length: 0"))], "status"),
    "no HTTP": ([AwaitToken(), Send(b"hello\r\n\r\n"), HalfClose()], "protocol"),
}


@pytest.mark.parametrize(("script", "why"), GAPS.values(), ids=GAPS)
async def test_t3_a_scrape_that_fails_is_a_gap(script: Script, why: str) -> None:
    assert why == (await gap(script))[1]


async def test_t3_nobody_at_home_is_a_gap_and_nothing_else() -> None:
    with Endpoint() as endpoint:
        probe, said = probe_of(endpoint)
    found = sample(list(await probe.ask()))

    assert (0, None, None, {}) == (found.up, found.running, found.kv_used_ratio, found.extra)
    assert ({"refused": 1}, [f"{probe.name}: refused"]) == (probe.failures, said)


async def test_t3_why_is_told_once_and_again_when_it_changes() -> None:
    with engine({"/metrics": body(page("vllm"))}) as endpoint:
        probe, said = probe_of(endpoint)
        probe.failed("over_limit")
        probe.failed("over_limit")
        await probe.ask()
        probe.failed("raised")

    assert ["over_limit", "scraped again", "raised"] == [line.removeprefix(f"{probe.name}: ") for line in said]
    assert {"over_limit": 2, "raised": 1} == probe.failures


async def test_t4_what_the_filter_leaves_out_changes_nothing() -> None:
    lines = page("vllm").splitlines(keepends=True)
    told = [line for line in lines if not line.startswith(b"#") and b"_created" not in line]
    with engine({}) as endpoint:
        probe, _ = probe_of(endpoint)
        whole, bare = [await scraped(endpoint, probe, text) for text in (b"".join(lines), b"".join(told))]

    assert any(b"_created" in line for line in lines)
    assert [row.running for row in (sample(whole), sample(bare))] == [128, 128]
    assert [tuple(row.cumulative for row in rows if isinstance(row, EngineHistogram)) for rows in (whole, bare)] == [
        tuple(row.cumulative for row in whole if isinstance(row, EngineHistogram))
    ] * 2
    assert "iteration_tokens" in {row.metric for row in bare if isinstance(row, EngineHistogram)}


async def test_t5_a_restart_is_no_negative_rate() -> None:
    pages = iter((b"vllm:prompt_tokens_total 100\n", b"vllm:prompt_tokens_total 7\n", b"vllm:prompt_tokens_total 9\n"))
    with engine({}) as endpoint:
        probe, _ = probe_of(endpoint, known=Engine.VLLM)
        found = [sample(list(await scraped(endpoint, probe, text))) for text in pages]

    assert [(100, 0), (7, 1), (9, 0)] == [(row.prompt_tokens_total, row.reset) for row in found]


async def scraped(endpoint: Endpoint, probe: EngineProbe, text: bytes, version: str = "0.32.0") -> list[Row]:
    """Scrape once, an engine that shows a page now."""
    questions = 0 if probe.detected else 3
    told = {**VLLM, "/version": says(version=version)}
    lines = {f"GET {path} HTTP/1.1".encode(): json_of(answer) for path, answer in told.items()}
    lines[b"GET /metrics HTTP/1.1"] = body(text)
    for _ in range(questions + 1):
        endpoint.enqueue([ByRequestLine(lines, [])])
    return list(await probe.ask())


async def test_t5_what_cannot_be_is_rejected_and_the_rest_is_kept() -> None:
    text = page("vllm").replace(
        b'vllm:kv_cache_usage_perc{engine="0"', b'vllm:kv_cache_usage_perc{engine="0",x="1"} NaN\n'
    )
    spoiled = text.split(b"\n")
    spoiled = [line for line in spoiled if not (b"e2e_request_latency" in line and b"+Inf" in line)]
    with engine({"/metrics": body(b"\n".join(spoiled))}) as endpoint:
        rows = list(await probe_of(endpoint)[0].ask())

    found = sample(rows)
    assert (None, 128) == (found.kv_used_ratio, found.running)
    assert (1.0, 1.0) == (found.extra["rejected.nan"], found.extra["rejected.no_inf_bucket"])
    metrics = {row.metric for row in rows if isinstance(row, EngineHistogram)}
    assert "e2e" not in metrics
    assert {"ttft", "itl"} <= metrics


async def test_t6_a_name_that_goes_with_a_new_version_is_told() -> None:
    old = b"vllm:kv_cache_usage_perc 0.5\nvllm:prompt_tokens_total 9\nprocess_start_time_seconds 1\n"
    new = b"vllm:kv_cache_use 0.5\nvllm:prompt_tokens_total 3\nprocess_start_time_seconds 2\n"
    with engine({}) as endpoint:
        probe, _ = probe_of(endpoint)
        found = [sample(await scraped(endpoint, probe, text, v)) for text, v in ((old, "1"), (new, "2"), (new, "2"))]

    assert [None, None, 1.0] == [row.extra.get("metric_missing.kv_used_ratio") for row in found]
    assert probe.last is not None
    assert "kv_used_ratio" in probe.last.after.missing


async def test_t7_a_model_that_nobody_knows_makes_no_label() -> None:
    hostile = page("vllm").replace(b'model_name="tiny-llama"', b'model_name="x\xc3\xa9 DROP"')
    known = page("vllm").replace(b'model_name="tiny-llama"', b'model_name="cfg"')
    with engine({}) as endpoint:
        probe, _ = probe_of(endpoint)
        found = [sample(await scraped(endpoint, probe, text)) for text in (hostile, known)]

    assert ["unknown", "cfg"] == [row.model for row in found]


async def test_t8_several_engine_cores_are_one_engine() -> None:
    second = page("vllm").replace(b'engine="0"', b'engine="1"')
    lines = dict.fromkeys((page("vllm") + second).splitlines())
    with engine({"/metrics": body(b"\n".join(lines) + b"\n")}) as endpoint:
        rows = list(await probe_of(endpoint)[0].ask())

    found = sample(rows)
    [ttft] = [row for row in rows if isinstance(row, EngineHistogram) and row.metric == "ttft"]
    assert (256, 2 * 14156, 2 * 203) == (found.running, found.generation_tokens_total, ttft.cumulative[-1])
    assert found.kv_used_ratio == found.kv_used_ratio_max == pytest.approx(0.015993, abs=1e-6)


async def test_t9_an_abandoned_request_is_in_the_counters_and_in_no_histogram() -> None:
    with engine({"/metrics": body(page("vllm"))}) as endpoint:
        rows = list(await probe_of(endpoint)[0].ask())

    [finished] = [row for row in rows if isinstance(row, EngineHistogram) and row.metric == "request_prompt_tokens"]
    assert (sample(rows).prompt_tokens_total or 0) > finished.sum


async def test_an_engine_that_is_known_by_configuration_is_asked_where_its_page_is() -> None:
    with engine({"/v1/metrics": body(page("nim"))}, {}) as endpoint:
        found = sample(list(await probe_of(endpoint, known=Engine.NIM)[0].ask()))

    assert (1, "nim", 4) == (found.up, found.engine, found.running)
