"""The plugin inside a real vLLM: plugin, tee and vLLM's own metrics tell of the same requests; vLLM notices nothing.

The engine starts first, with nobody listening. The plugin is built and unpacked beside vLLM's environment, not into it.
"""

import ast
import asyncio
import dataclasses
import json
import os
import re
import signal
import threading
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import mean, median

import httpx
import pytest
from hatchling.builders.wheel import WheelBuilder
from raw_load import RawLoad
from rig import ROOT, Engine, Product, product, vllm_engine, wait_until
from vllm.v1.engine import FinishReason
from vllm.v1.metrics.stats import FinishedRequestStats, IterationStats

from telemetry.testing import client
from telemetry.testing.steps import AwaitToken, Reset, Send

pytestmark = [pytest.mark.system, pytest.mark.timeout(400)]

MODEL = "tiny-llama"
REQUESTS, CONCURRENCY = 200, 16
STOPPED = 4  # every so many requests end at their first token, by a stop token
HISTOGRAMS = {
    "srv_queue_us": "vllm:request_queue_time_seconds_sum",
    "srv_prefill_us": "vllm:request_prefill_time_seconds_sum",
    "srv_decode_us": "vllm:request_decode_time_seconds_sum",
    "e2e_us": "vllm:e2e_request_latency_seconds_sum",
}
COUNTED = {"tokens_in": "vllm:prompt_tokens_total", "tokens_out": "vllm:generation_tokens_total"}
TTFT = ("vllm:time_to_first_token_seconds_sum", "vllm:time_to_first_token_seconds_count")
ENGINE, TEE = "traffic = 'engine'", "traffic = 'user'"
COLUMNS = (
    "hex(trace_id) AS trace, finish_reason AS reason, outcome, api, tokens_in, tokens_out, ttft_us, e2e_us, "
    "srv_queue_us, srv_prefill_us, srv_decode_us"
)
BURST, BURST_CONCURRENCY = 60, 8
DATAGRAMS_HELD = int(Path("/proc/sys/net/unix/max_dgram_qlen").read_text()) + 1
LONG, HANG_UPS_MAX = 1500, 40
VLLM_SITE = Path(os.environ.get("VLLM_RIG", "~/.cache/inferometer-vllm")).expanduser() / "venv" / "lib"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rig:
    """A vLLM with the plugin, and the product that hears it."""

    engine: Engine
    up: Product
    log: Path

    @property
    def direct(self) -> tuple[str, int]:
        """The engine's own address."""
        return ("127.0.0.1", int(self.engine.url.rsplit(":", 1)[1]))


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    home = tmp_path_factory.mktemp("plugin")
    [wheel] = WheelBuilder(str(ROOT / "collector" / "vllm_plugin")).build(directory=str(home), versions=["standard"])
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(home / "site")
    path = home / "plugin.sock"
    (home / "config.yaml").write_text(json.dumps({"tee": {"plugin_socket": str(path)}}))
    env = {
        "PYTHONPATH": str(home / "site"),
        "INFEROMETER_TEE__PLUGIN_SOCKET": str(path),
        "VLLM_LOG_STATS_INTERVAL": "1",  # of an idle engine, what waits leaves then
    }
    with vllm_engine(home / "log", env=env) as engine:
        unheard = RawLoad(("127.0.0.1", int(engine.url.rsplit(":", 1)[1])), [request(0)]).run(1)
        assert b"[DONE]" in b"".join(data for _, data in unheard[0].chunks)
        with product(engine.url, home / "data", "--config", str(home / "config.yaml")) as up:
            yield Rig(engine=engine, up=up, log=home / "log")


def trace(number: int) -> str:
    return f"{number + 1:032x}"


def tokens(number: int) -> int:
    return 1 if number % STOPPED == 0 else 16 + number * 37 % 32


def request(number: int) -> bytes:
    """A streamed completion or chat; its trace id stands in `traceparent` for the tee, in the request id for vLLM."""
    words: dict[str, object] = {"model": MODEL, "stream": True, "stream_options": {"include_usage": True}}
    if number % STOPPED == 0:
        words |= {"allowed_token_ids": [7], "stop_token_ids": [7]}
    else:
        words |= {"ignore_eos": True}
    text = f"request {number} " + "jumps over the lazy dog " * 40
    shape = {"messages": [{"role": "user", "content": text}]} if number % 2 else {"prompt": text}
    body = json.dumps({**words, **shape, "max_tokens": tokens(number)}).encode()
    path = "/v1/chat/completions" if number % 2 else "/v1/completions"
    headers = (
        "Content-Type: application/json",
        "Connection: close",
        f"traceparent: 00-{trace(number)}-00000000000000aa-01",
        f"X-Request-Id: {trace(number)}",
    )
    return client.request("POST", path, body, *headers)


def finishes(engine: Engine) -> Counter[str]:
    page = httpx.get(f"{engine.url}/metrics", timeout=10.0).text
    found = re.findall(r'vllm:request_success_total{.*finished_reason="(\w+)".*} (\S+)', page)
    return Counter({reason: int(float(n)) for reason, n in found})


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What the three said of the same requests."""

    plugin: list[dict[str, object]]
    tee: list[dict[str, object]]
    finishes: Counter[str]
    totals: dict[str, float]
    ttft_s: float


@pytest.fixture(scope="module")
def told(rig: Rig) -> Told:
    engine, up = rig.engine, rig.up
    wait_until(lambda: up.count(ENGINE) == 1, "the row of the request that finished before anybody listened")
    totals = {name: engine.total(name) for name in (*HISTOGRAMS.values(), *COUNTED.values(), *TTFT)}
    before = finishes(engine)
    RawLoad(up.address, [request(number) for number in range(REQUESTS)]).run(CONCURRENCY)
    wait_until(partial(rows_of_the_tee, rig, REQUESTS), "rows of the tee")
    all_heard(rig, REQUESTS + 1)
    plugin, tee = (
        up.rows(f"SELECT {COLUMNS} FROM requests WHERE {which} ORDER BY ended_at DESC LIMIT {REQUESTS}")  # noqa: S608 -- ours
        for which in (ENGINE, TEE)
    )
    grown = {name: engine.total(name) - was for name, was in totals.items()}
    return Told(
        plugin=plugin,
        tee=tee,
        finishes=finishes(engine) - before,
        totals=grown,
        ttft_s=grown[TTFT[0]] / grown[TTFT[1]],
    )


def total(rows: list[dict[str, object]], column: str) -> int:
    return sum(int(str(row[column])) for row in rows)


def test_all_three_count_the_same_requests_and_tokens(told: Told) -> None:
    expected = Counter({"stop": REQUESTS // STOPPED, "length": REQUESTS - REQUESTS // STOPPED})

    assert told.finishes == expected
    for rows in (told.plugin, told.tee):
        assert Counter(str(row["reason"]) for row in rows) == expected
        assert {row["outcome"] for row in rows} == {"ok"}
        assert [total(rows, column) for column in COUNTED] == [told.totals[name] for name in COUNTED.values()]
    assert total(told.plugin, "tokens_out") == sum(map(tokens, range(REQUESTS)))


def test_the_plugins_times_are_those_of_vllms_histograms(told: Told) -> None:
    rounding_s = REQUESTS * 0.5e-6

    for column, name in HISTOGRAMS.items():
        assert total(told.plugin, column) / 1e6 == pytest.approx(told.totals[name], abs=rounding_s), column


def test_each_request_joins_with_its_row_of_the_tee(told: Told) -> None:
    tee = {row["trace"]: row for row in told.tee}
    assert set(tee) == {row["trace"] for row in told.plugin} == {trace(number).upper() for number in range(REQUESTS)}

    for row in told.plugin:
        other = tee[row["trace"]]
        assert [row[name] for name in ("reason", "tokens_in", "tokens_out", "api")] == [
            other[name] for name in ("reason", "tokens_in", "tokens_out", "api")
        ]
        for column in ("srv_queue_us", "srv_prefill_us"):  # what vLLM wrote into the answer itself
            assert abs(int(str(row[column])) - int(str(other[column]))) <= 1, column


def test_the_three_times_to_first_token_stand_one_inside_the_other(told: Told) -> None:
    """Engine: queued to first token. vLLM's histogram adds its API server. The tee adds the way there and back."""
    tee = {row["trace"]: int(str(row["ttft_us"])) for row in told.tee}
    plugin = {row["trace"]: int(str(row["ttft_us"])) for row in told.plugin}
    outside_us = [tee[name] - plugin[name] for name in plugin]
    plugin_s, tee_s = mean(plugin.values()) / 1e6, mean(tee.values()) / 1e6
    print(
        f"mean TTFT: engine {plugin_s * 1e3:.1f} ms, with its API server {told.ttft_s * 1e3:.1f} ms, at the tee "
        f"{tee_s * 1e3:.1f} ms; median per request outside the engine {median(outside_us) / 1e3:.1f} ms"
    )

    assert min(outside_us) >= 0
    assert plugin_s <= told.ttft_s <= tee_s


def test_a_request_that_both_saw_is_reported_once(rig: Rig, told: Told) -> None:
    whole = next(group for group in rig.up.report()["groups"] if group["endpoint"] is None)

    assert (whole["n"], rig.up.count()) == (REQUESTS, 2 * REQUESTS + 1)
    assert whole["tokens_out"] == total(told.tee, "tokens_out")


def test_a_client_that_hangs_up_makes_no_row_of_the_engine(rig: Rig, told: Told) -> None:
    assert told.plugin
    cancelled, tries, is_left = "outcome = 'client_cancelled'", 0, False
    words = {"model": MODEL, "prompt": "a", "stream": True, "ignore_eos": True, "max_tokens": LONG}
    sent = client.request("POST", "/v1/completions", json.dumps(words).encode(), "Content-Type: application/json")
    while not is_left and tries < HANG_UPS_MAX:  # this engine may have made, or sent, a whole answer by then: too late
        rows, left = rig.up.count(ENGINE), rig.up.count(cancelled)
        asyncio.run(client.talk(rig.up.address, [Send(sent), AwaitToken(b"data: "), Reset()]))
        tries += 1
        wait_until(partial(rows_of_the_tee, rig, REQUESTS + tries), "row of a client that hung up")
        behind = 10 * REQUESTS + tries
        RawLoad(rig.direct, [request(behind)]).run(1)  # what comes after it comes behind it
        wait_until(partial(has_row_of, rig, behind), "row of the request behind")
        is_left = (rows + 1, left + 1) == (rig.up.count(ENGINE), rig.up.count(cancelled))

    assert is_left
    assert rig.up.count(f"{ENGINE} AND tokens_out = {LONG}") == tries - 1  # the others were whole, and told as such


def test_vllm_serves_on_while_its_listener_is_stuck(rig: Rig, told: Told) -> None:
    assert told.plugin
    before = rig.up.count(ENGINE)
    os.kill(observer(rig), signal.SIGSTOP)
    try:
        whole = whole_answers(rig)
    finally:
        os.kill(observer(rig), signal.SIGCONT)

    assert whole == BURST
    all_heard(rig, before + BURST)


def test_vllm_serves_on_while_its_listener_is_killed(rig: Rig, told: Told) -> None:
    assert told.plugin
    before, old, whole = rig.up.count(ENGINE), observer(rig), list[int]()
    load = threading.Thread(target=lambda: whole.append(whole_answers(rig)))
    load.start()
    wait_until(lambda: rig.up.count(ENGINE) > before, "first rows of the burst")
    os.kill(old, signal.SIGKILL)
    load.join()
    wait_until(lambda: observer(rig) not in {0, old}, "new observer")
    RawLoad(rig.direct, [request(REQUESTS + 1)]).run(1)
    wait_until(partial(has_row_of, rig, REQUESTS + 1), "row after the restart")
    kept = rig.up.count(ENGINE) - before - 1
    print(f"{kept} of {BURST} rows outlived the listener that was killed under them")

    assert whole == [BURST]
    assert BURST - DATAGRAMS_HELD * BURST_CONCURRENCY <= kept <= BURST  # what it had not read yet is lost with it


def test_vllm_has_nothing_to_complain_of(rig: Rig, told: Told) -> None:
    assert told.plugin
    log = rig.log.read_text()

    assert "inferometer: rows of engine 0 go to" in log
    assert "output_handler failed" not in log
    assert "rows cannot be sent" not in log


def test_what_the_plugin_reads_of_vllm_is_what_vllm_has() -> None:
    """The fast tests stand on a copy of vLLM's classes (tests/fixtures); here is the original, read as text."""
    request, iteration, reason = (
        class_of("metrics/stats.py", "FinishedRequestStats"),
        class_of("metrics/stats.py", "IterationStats"),
        class_of("engine/__init__.py", "FinishReason"),
    )
    fields = [ast.unparse(line.target) for line in request.body if isinstance(line, ast.AnnAssign)]
    assigned = [line for line in reason.body if isinstance(line, ast.Assign)]
    values = {ast.unparse(line.targets[0]): ast.literal_eval(line.value) for line in assigned}
    held = {node.attr for node in ast.walk(iteration) if isinstance(node, ast.Attribute)}

    assert [field.name for field in dataclasses.fields(FinishedRequestStats)] == fields
    assert {reason.name: reason.value for reason in FinishReason} == values
    assert set(vars(IterationStats())) <= held


def class_of(module: str, name: str) -> ast.ClassDef:
    """Return the source of a class of the installed vLLM."""
    [path] = VLLM_SITE.glob(f"*/site-packages/vllm/v1/{module}")
    [found] = [
        node for node in ast.parse(path.read_text()).body if isinstance(node, ast.ClassDef) and node.name == name
    ]
    return found


def all_heard(rig: Rig, n: int) -> None:
    """Wait for the rows of the engine; what is missing is somewhere between plugin, observer and store."""
    try:
        wait_until(lambda: rig.up.count(ENGINE) == n, "rows of the plugin")
    except AssertionError as fault:
        books = [
            line for line in rig.up.metrics().splitlines() if re.match("inferometer_(plugin|records|dropped)", line)
        ]
        raise AssertionError(f"{fault}; stored: {rig.up.count(ENGINE)}; {books}") from fault


def rows_of_the_tee(rig: Rig, n: int) -> bool:
    return rig.up.count(TEE) == n


def has_row_of(rig: Rig, number: int) -> bool:
    return rig.up.count(f"{ENGINE} AND hex(trace_id) = '{trace(number).upper()}'") == 1


def whole_answers(rig: Rig) -> int:
    """Ask the engine itself; returns how many answers came whole."""
    seen = RawLoad(rig.direct, [request(number) for number in range(BURST)]).run(BURST_CONCURRENCY)
    return sum(b"data: [DONE]" in b"".join(data for _, data in one.chunks) for one in seen)


def observer(rig: Rig) -> int:
    """Process id of the observer; 0 while there is none."""
    return int(rig.up.status()["children"]["observer"]["pid"] or 0)
