"""A real Prometheus and a real OTLP receiver see what `inferometer report` says, and need nothing else of ours."""

import asyncio
import re
import subprocess
import sys
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import pairwise
from math import inf
from pathlib import Path
from typing import Any

import httpx
import pytest
from load import load, streamed
from otlp_receiver import Receiver, attributes, receiver
from rig import Product, answers, binary, free_port, process, product, wait_until

from collector.catalogue import CATALOGUE, page
from telemetry.clock import sleep
from telemetry.testing.client import talk
from telemetry.testing.steps import AwaitToken, Reset, Send

pytestmark = [pytest.mark.system, pytest.mark.timeout(75)]
STEP_8_MS = ("--alpha-s", "0.008", "--hidden-s", "0.008")

LOAD_S = 10.0
GONE = 8
"""Clients that hang up; some of them meet a fault before."""
CONFIG = """\
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs: [{{job_name: inferometer, static_configs: [{{targets: ["127.0.0.1:{port}"]}}]}}]
"""
MEASURES = {"ttft": "ttft_seconds", "e2e": "e2e_seconds", "tpot": "tpot_seconds", "stall": "icl_max_seconds"}
"""Of the report, and their metrics."""
NATIVE_RATIO = 2 ** (1 / 16)


@dataclass(frozen=True, slots=True)
class Prometheus:
    """A real Prometheus that scrapes the product."""

    url: str

    def query(self, expression: str) -> list[dict[str, Any]]:
        answer = httpx.get(f"{self.url}/api/v1/query", params={"query": expression}, timeout=10.0).json()
        assert answer["status"] == "success", answer
        result: list[dict[str, Any]] = answer["data"]["result"]
        return result

    def value(self, expression: str) -> float:
        found = self.query(expression)
        return float(found[0]["value"][1]) if found else -1.0

    def exemplars(self, metric: str) -> list[dict[str, str]]:
        params = {"query": metric, "start": "0", "end": "9999999999"}
        answer = httpx.get(f"{self.url}/api/v1/query_exemplars", params=params, timeout=10.0).json()
        return [exemplar["labels"] for series in answer["data"] for exemplar in series["exemplars"]]


@contextmanager
def prometheus(metrics_port: int, folder: Path, feature: str) -> Generator[Prometheus]:
    folder.mkdir()
    (folder / "prometheus.yml").write_text(CONFIG.format(port=metrics_port))
    port = free_port()
    argv = (
        binary("prometheus"),
        f"--config.file={folder}/prometheus.yml",
        f"--storage.tsdb.path={folder}/data",
        f"--web.listen-address=127.0.0.1:{port}",
        f"--enable-feature={feature}",
    )
    with process(*argv, log=folder / "log", stop_s=10.0):
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: answers(f"{url}/-/ready"), "Prometheus", wait_s=20)
        yield Prometheus(url)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A load, and who looked at it."""

    up: Product
    native: Prometheus
    classic: Prometheus
    report: dict[str, Any]
    group: dict[str, Any]
    text: str


@pytest.fixture(scope="module")
def otlp() -> Iterator[Receiver]:
    with receiver() as found, pytest.MonkeyPatch.context() as environ:
        environ.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", found.url)
        environ.setenv("OTEL_METRIC_EXPORT_INTERVAL", "1000")
        aggregation = "base2_exponential_bucket_histogram"
        environ.setenv("OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION", aggregation)
        yield found


@pytest.fixture(scope="module")
def seen(otlp: Receiver, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    assert otlp.url
    folder, engine_port = tmp_path_factory.mktemp("prometheus"), free_port()
    engine = (sys.executable, "-m", "loadtest.fleet.server", *STEP_8_MS, "--port", str(engine_port), "--seed", "5")
    with ExitStack() as held:
        held.enter_context(process(*engine, "--fault-ratio", "0.1", log=folder / "engine"))
        wait_until(lambda: answers(f"http://127.0.0.1:{engine_port}/health"), "engine")
        up = held.enter_context(product(f"http://127.0.0.1:{engine_port}", folder / "data"))
        native = held.enter_context(prometheus(up.metrics_port, folder / "native", "native-histograms"))
        classic = held.enter_context(prometheus(up.metrics_port, folder / "classic", "exemplar-storage"))
        with load(up.address, n_clients=6, n_tokens=12, asks_usage=True):
            for _ in range(GONE):
                asyncio.run(talk(up.address, [Send(streamed(64)), AwaitToken(b"\n\n"), Reset()]))
            sleep(LOAD_S)
        wait_until(lambda: "inferometer_requests_open 0.0" in up.metrics(), "end of the last request")
        text = up.metrics()
        n = sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith("inferometer_requests_total{"))
        wait_until(lambda: up.count() == n, "last row in the store")
        for one in (native, classic):
            wait_until(lambda one=one: one.value("sum(inferometer_requests_total)") == n, "scrape of the last request")
        report = up.report()
        (group,) = [group for group in report["groups"] if group["model"]]
        yield Seen(up=up, native=native, classic=classic, report=report, group=group, text=text)


def spread(group: dict[str, Any], measure: str) -> dict[str, Any]:
    """The percentiles of what ended well."""
    found: dict[str, Any] = group[f"{measure}_s"]
    return found.get("ok_only", found)


def test_counters_are_the_reports(seen: Seen) -> None:
    prometheus, group = seen.classic, seen.group
    by_outcome = prometheus.query("sum by (outcome) (inferometer_requests_total)")

    print(f"{group['n']} requests, {group['outcomes']}")
    assert group["n"] > 100
    assert len(group["outcomes"]) > 3
    assert {it["metric"]["outcome"]: float(it["value"][1]) for it in by_outcome} == group["outcomes"]
    assert prometheus.value("sum(inferometer_requests_eligible_total)") == group["n"]
    assert prometheus.value("sum(inferometer_in_stream_errors_total)") == group["in_stream"]
    assert prometheus.value("sum(inferometer_client_cancels_total)") == group["outcomes"]["client_cancelled"] > 0
    assert prometheus.value("sum(inferometer_tokens_out_total)") == group["tokens_out"] > 0
    assert prometheus.value("sum(inferometer_tokens_in_total)") == group["tokens_in"] > 0


@pytest.mark.parametrize("name", ["p50", "p95"])
@pytest.mark.parametrize("measure", MEASURES)
def test_quantiles_agree_with_the_report_within_the_bucket(seen: Seen, measure: str, name: str) -> None:
    q, metric = int(name[1:]) / 100, f"inferometer_{MEASURES[measure]}"
    exact = spread(seen.group, measure)[name]
    native = seen.native.value(f"histogram_quantile({q}, sum({metric}))")
    classic = seen.classic.value(f"histogram_quantile({q}, sum by (le) ({metric}_bucket))")
    scale = CATALOGUE[MEASURES[measure]].scale
    assert scale is not None
    bounds = (0.0, *scale.classic_bounds, inf)
    ((low, high),) = [pair for pair in pairwise(bounds) if pair[0] < exact <= pair[1]]

    print(f"{measure} {name}: report {exact:.6f}, native {native:.6f}, classic {classic:.6f} in ({low}, {high}] s")
    assert 1 / NATIVE_RATIO <= native / exact <= NATIVE_RATIO
    assert low <= classic <= high
    assert seen.native.value(f"histogram_count(sum({metric}))") == seen.classic.value(f"sum({metric}_count)")


def test_the_native_prometheus_took_native_histograms(seen: Seen) -> None:
    assert seen.native.query("inferometer_e2e_seconds")
    assert seen.native.query("inferometer_e2e_seconds_bucket") == []


def test_documented_expressions_give_shares(seen: Seen) -> None:
    expressions = re.findall(r"\n\n((?:    .+\n)+)\n", page())

    shares = [seen.classic.value(expression.replace("[5m]", "[1m]")) for expression in expressions]

    assert len(shares) == 2
    assert all(0 < share < 1 for share in shares), shares


def test_exemplars_are_rows_of_the_store(seen: Seen) -> None:
    found = seen.classic.exemplars("inferometer_ttft_seconds_bucket")
    ids = {labels["record_id"] for labels in found}
    (row,) = seen.up.rows(f"SELECT count() AS n FROM requests WHERE record_id IN ({', '.join(map(repr, ids))})")  # noqa: S608 our own ids

    assert ids
    assert int(row["n"]) == len(ids)


def test_the_page_pleases_promtool(seen: Seen) -> None:
    done = subprocess.run(
        [binary("promtool"), "check", "metrics"], input=seen.text, capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_a_receiver_of_otlp_has_the_same_counts(seen: Seen, otlp: Receiver) -> None:
    n = spread(seen.group, "ttft")["n"]
    sent: dict[str, Any] = {}

    def has_all() -> bool:
        sent.update(otlp.metrics())
        points = sent["gen_ai.server.time_to_first_token"].exponential_histogram.data_points
        return sum(point.count for point in points) == n

    wait_until(has_all, "export of the last request")
    (ttft,) = sent["gen_ai.server.time_to_first_token"].exponential_histogram.data_points
    durations = sent["gen_ai.server.request.duration"].exponential_histogram.data_points

    assert (ttft.scale, attributes(ttft)["gen_ai.request.model"]) == (4, seen.group["model"])
    assert sum(point.count for point in durations) == seen.group["n"]
    assert {attributes(point).get("error.type", "ok"): point.count for point in durations} == seen.group["outcomes"]
