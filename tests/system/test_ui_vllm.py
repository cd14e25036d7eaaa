"""A real vLLM under load, watched in a real browser: users who hang up, a core that hangs, and who they were.

Steady traffic goes through the tee all the while. First some clients hang up in the middle of their answers; then the
core stops for eight seconds, answers that were under way stand still, and users who come give up after three. The
page of the endpoint shows each as numbers, an alert says it in a sentence, and the links lead to the very requests.
"""

import asyncio
import json
import os
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event, Thread
from typing import Any
from urllib.parse import urlencode

import pytest
from browser import Visit, chromium, visited
from load import Tally
from one_slo import slo_file
from playwright.sync_api import Browser
from rig import Engine, Product, product, wait_until
from ui_page import quiet, told, until

from benchmarks.processes import held_still, vllm_cores
from telemetry.clock import sleep, wall_ms
from telemetry.testing.client import request, talk
from telemetry.testing.steps import AwaitEnd, AwaitToken, Pause, Reset, Send
from telemetry.testing.wire import Script, Wire

pytestmark = [pytest.mark.system, pytest.mark.timeout(500)]

CALM_S, HUNG_S, PATIENCE_S = 4, 8, 3
DEADLINE_S = 180
"""Nobody but those who are to may give up, however slow the machine is."""
SURGE, UNDER_WAY, IMPATIENT = 30, 24, 80
"""Clients that hang up in mid-answer; answers under way when the core stops; users who give up meanwhile."""
USUAL, LONG = 200, 1_900
"""Tokens of an answer."""
ALERT_S = 120
STEP_S = 10
"""Of percentiles over a quarter of an hour (slo.panel_window)."""
PANELS = ("ep.gave_up", "ep.outcomes", "ep.stall")
TABLE = """
(id) => [...document.querySelectorAll(`[data-panel="${id}"] tbody tr`)]
  .map((row) => [...row.cells].filter((cell) => 'value' in cell.dataset).map((cell) => JSON.parse(cell.dataset.value)))
"""
LINKS = "[...document.querySelectorAll('[data-panel=\"alert.exemplars\"] tbody a')].map((one) => one.href)"
SENTENCE = "document.querySelector('[data-panel=\"alert.sentence\"] .sentence')?.textContent"
FACTS = "document.querySelector('[data-panel=\"req.detail\"] .facts')?.textContent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """What happened, and where it is looked at.

    Attributes:
        up: The product.
        root: Where its pages are served.
        since_s: When it began, unix seconds.
        until_s: When all of it was over.
    """

    up: Product
    root: str
    since_s: int
    until_s: int

    def page(self, path: str, **asked: object) -> str:
        return f"{self.root}/ui/{path}?{urlencode(asked)}"

    def detail(self, fingerprint: str) -> dict[str, Any]:
        """Return the explanation of an alert, as facts."""
        alert = told(self.root, f"/v1/alerts/{fingerprint}")
        return dict(json.loads(alert["annotations"]["detail"]))

    def ids(self, where: str) -> list[str]:
        rows = self.up.rows(f"SELECT toString(record_id) AS id FROM requests WHERE {where}")  # noqa: S608 our own words
        return [row["id"] for row in rows]


@contextmanager
def clients(up: Product, count: int, script: Script) -> Generator[None]:
    """Let so many clients play a script while the block runs, and wait for their ends."""

    async def all_of_them() -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(count):
                group.create_task(talk(up.address, script, deadline_s=DEADLINE_S))

    thread = Thread(target=asyncio.run, args=(all_of_them(),))
    thread.start()
    try:
        yield
    finally:
        thread.join()


def chat(n_tokens: int) -> bytes:
    """One streamed chat request; a model of random weights would end it at any token."""
    words = {
        "model": "tiny-llama", "stream": True, "stream_options": {"include_usage": True}, "max_tokens": n_tokens,
        "ignore_eos": True, "messages": [{"role": "user", "content": "hi"}],
    }  # fmt: skip
    head = ("Content-Type: application/json", "Connection: close")
    return request("POST", "/v1/chat/completions", json.dumps(words).encode(), *head)


@contextmanager
def steady(up: Product) -> Generator[Tally]:
    """Let one user ask again and again, until the block ends and its last answer is there."""
    tally, over = Tally(), Event()

    async def user() -> None:
        while not over.is_set():
            tally.count(await talk(up.address, [Send(chat(USUAL)), AwaitEnd()], deadline_s=DEADLINE_S))
            await asyncio.sleep(0.2)

    thread = Thread(target=asyncio.run, args=(user(),))
    thread.start()
    try:
        yield tally
    finally:
        over.set()
        thread.join()


def surge(up: Product) -> None:
    with clients(up, SURGE, [Send(chat(LONG)), AwaitToken(b"data: "), Reset()]):
        pass


@dataclass(frozen=True, slots=True)
class Begun:
    """A step that says that it was reached."""

    seen: list[Wire]

    async def act(self, wire: Wire) -> None:
        self.seen.append(wire)


def stall(up: Product) -> None:
    begun = Begun([])
    with clients(up, UNDER_WAY, [Send(chat(LONG)), AwaitToken(b'"content"'), begun, AwaitEnd()]):
        wait_until(lambda: len(begun.seen) == UNDER_WAY, "answers under way")
        with held_still(vllm_cores(os.getpid())), clients(up, IMPATIENT, [Send(chat(8)), Pause(PATIENCE_S), Reset()]):
            sleep(HUNG_S)


@pytest.fixture(scope="module")
def watched(vllm: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    folder = tmp_path_factory.mktemp("ui-vllm")
    config = folder / "config.yaml"
    config.write_text(
        f"slo: {{objectives: [{slo_file(folder)}]}}\ntarget: {{endpoint: chat}}\n"
        "probe: {gpu: never, engine_interval_s: 1}\n"
    )
    with product(vllm.url, folder / "data", "--config", str(config)) as up:
        root, since_s = f"http://127.0.0.1:{up.metrics_port}", wall_ms() // 1000
        with steady(up) as tally:
            sleep(CALM_S)
            surge(up)
            sleep(2)
            stall(up)
            sleep(2)
        assert tally.n_whole
        assert not tally.broken
        happened = tally.n_whole + SURGE + UNDER_WAY + IMPATIENT
        wait_until(lambda: up.count() >= happened, "every request in the store")
        # A series of percentiles ends with its last whole step, and the answers that stood still may be in that.
        until_s = (wall_ms() // 1000 // STEP_S + 1) * STEP_S
        wait_until(lambda: wall_ms() // 1000 > until_s + 1, "end of the last step", 2 * STEP_S)
        yield Watched(up=up, root=root, since_s=since_s, until_s=until_s)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


def shown(visit: Visit, panel: str, holds: str) -> list[list[Any]]:
    """Wait until the table of a panel has a row of which an expression over `row` holds; returns those rows."""
    found = f"({TABLE})('{panel}').filter((row) => {holds})"
    return list(until(visit, f"({found}).length > 0 && {found}", 30) or ())


def test_the_page_of_the_endpoint_shows_both_as_numbers(watched: Watched, browser: Browser) -> None:
    times = {"from": watched.since_s, "to": watched.until_s}
    address = watched.page("endpoints/chat", **times, panel=",".join(PANELS), view="table")
    with visited(browser, address, is_offline=False) as visit:
        left = shown(visit, "ep.outcomes", "row[1] === 'client_cancelled' && row[2] > 0")
        gave_up = shown(visit, "ep.gave_up", "row[1] > 0")
        stalled = shown(visit, "ep.stall", "row.at(-1) > 0")
        quiet(visit, watched.root)
    step_s = told(watched.root, f"/v1/panels/ep.outcomes.json?{urlencode({**times, 'endpoint': 'chat'})}")["step_s"]
    counted = round(sum(row[2] for row in left) * step_s)

    assert counted == SURGE + IMPATIENT == watched.up.count("outcome = 'client_cancelled'")
    assert max(row[1] for row in gave_up) > 0.5, "in the step in which the users gave up, most did"
    still = watched.up.count(f"outcome = 'ok' AND icl_max_us > {(HUNG_S - 2) * 1_000_000}")
    print(f"{still} of {UNDER_WAY} answers stood still: {stalled}")
    assert stalled, "answers with a gap over the limit"
    assert still > UNDER_WAY // 2, "a few may have been whole before the core stopped"


def test_an_alert_says_it_and_its_links_lead_to_the_very_requests(watched: Watched, browser: Browser) -> None:
    def summaries() -> set[str]:
        return {one["annotations"]["summary"] for one in firing()}

    def firing() -> list[dict[str, Any]]:
        alerts = told(watched.root, "/v1/alerts")["alerts"]
        return [one for one in alerts if one["state"] == "firing" and one["labels"].get("slo")]

    wait_until(lambda: bool(firing()), "alert of the objective", ALERT_S)
    alert = min(firing(), key=lambda one: one["severity"])
    with visited(browser, watched.page(f"alerts/{alert['fingerprint']}"), is_offline=False) as visit:
        # It says how fast the budget goes now, so a look at the page may fall between two of its evaluations.
        wait_until(lambda: until(visit, SENTENCE) in summaries(), "sentence of the alert")
        sentence = until(visit, SENTENCE)
        links = until(visit, f"({LINKS}).length > 0 && {LINKS}", 60)
        assert links
        ids = [link.partition("/requests/")[2].partition("?")[0] for link in links]
        visit.page.goto(links[0])
        facts = until(visit, FACTS)
        quiet(visit, watched.root)
    # What a busy store had no time to say when the alert began is asked for again.
    wait_until(lambda: "exemplars" in watched.detail(alert["fingerprint"]), "exemplars in the explanation", ALERT_S)
    told_of = [one["record_id"] for one in watched.detail(alert["fingerprint"])["exemplars"]]
    twin = told(watched.root, f"/v1/panels/alert.exemplars.json?alert={alert['fingerprint']}")
    place = [one["name"] for one in twin["columns"]].index("id")
    bad = watched.ids(f"NOT (outcome = 'ok' AND ttft_us <= 2000000) AND elapsed_us >= {PATIENCE_S - 1} * 1000000")

    print(f"{alert['severity']}: {sentence}\n{facts}")
    assert ids == [row[place] for row in twin["rows"]]
    assert told_of
    assert {*ids, *told_of} <= set(watched.ids("1"))
    assert set(ids) & set(bad), "requests of the seconds in which the core hung"


def test_its_requests_are_those_of_the_store(watched: Watched, browser: Browser) -> None:
    """The link of the endpoint's page, then a box over the time of the surge."""
    (row,) = watched.up.rows(
        "SELECT toUnixTimestamp(min(ended_at)) AS t0, toUnixTimestamp(max(ended_at)) + 1 AS t1 FROM requests"
        " WHERE outcome = 'client_cancelled' AND n_out_events > 0"
    )
    t0, t1 = int(row["t0"]), int(row["t1"])
    inside = f"ended_at >= toDateTime({t0}) AND ended_at < toDateTime({t1})"
    with visited(browser, watched.page("endpoints/chat", **{"from": watched.since_s}), is_offline=False) as visit:
        visit.page.get_by_role("link", name="Its requests").click()
        assert until(visit, "location.pathname.endsWith('/requests')")
        assert "endpoint=chat" in visit.page.url
        visit.page.goto(f"{visit.page.url}&{urlencode({'t0': t0, 't1': t1})}")
        rows = shown(visit, "req.rows", "row[1]")
        quiet(visit, watched.root)

    assert SURGE <= len(rows)
    assert sorted(watched.ids(inside)) == sorted(row[1] for row in rows)
