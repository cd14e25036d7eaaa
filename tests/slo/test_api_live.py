"""Live panels: fifty tabs and one question, the 65th stream, what a tab that comes back is told. spec/ui.md A10."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from panel_rig import END_MS, ENDPOINT, PanelRig
from tabs import Tab
from views import Told, judged, seen

from slo.api import application
from slo.api_guard import hosts_of
from slo.api_live import BEAT_S, PANELS_MAX, RETRY_MS
from slo.live_hub import STREAMS_MAX, THREADS_MAX, Hub
from slo.panel_desk import PanelDesk
from slo.panel_documents import Documented
from telemetry.queries.asked import Asked, Pick
from telemetry.queries.question import Question

PATH = f"/v1/live?panels=fleet.bad&endpoint={ENDPOINT}"


@dataclass
class Live:
    """An application over the store with a past, whose clock stands until it is moved.

    Attributes:
        counted: The panel that is looked at.
        asked: Times at which its statement was made.
        now_ms: The present.
        gates: What must be open before that statement is made.
    """

    past: PanelRig
    folder: Path
    counted: str = "fleet.bad"
    now_ms: int = END_MS
    asked: list[int] = field(default_factory=list[int])
    gates: list[Event] = field(default_factory=list[Event])

    def __post_init__(self) -> None:
        panels = [
            replace(one, ask=self._counted(one)) if one.id == self.counted else one for one in self.past.desk.panels
        ]
        desk = PanelDesk(panels, self.past.reader, lambda _document, _asked: Documented(), lambda: self.now_ms)
        self.hub = Hub(desk, lambda: self.now_ms)
        self.told = Told(self.folder, seen(judged()))
        parts = replace(self.told.parts, panels=desk, hub=self.hub)
        self.app = application(parts, hosts_of("127.0.0.1", 8200), "0.0.0")

    def tab(self, path: str = PATH, **headers: str) -> Tab:
        return Tab(self.app, path, **headers)

    def ending(self) -> Tab:
        """Return a tab with whose first event the server ends."""
        return _Ending(self)

    def _counted(self, panel: Any) -> Any:  # noqa: ANN401 -- of a panel
        def ask(asked: Asked, pick: Pick) -> Question:
            self.asked.append(self.now_ms)
            assert all(gate.wait(30) for gate in self.gates)
            return panel.ask(asked, pick)  # type: ignore[no-any-return]  # a question

        return ask


class _Ending(Tab):
    def __init__(self, live: Live) -> None:
        super().__init__(live.app, PATH)
        self._live = live

    async def _send(self, message: Any) -> None:  # noqa: ANN401 -- of ASGI
        await super()._send(message)
        if self.of("state"):
            self._live.hub.close()


@pytest.fixture
def live(past: PanelRig, tmp_path: Path) -> Iterator[Live]:
    made = Live(past, tmp_path)
    yield made
    made.hub.close()


async def test_fifty_tabs_ask_once_in_a_tick(live: Live) -> None:
    tabs = [live.tab() for _ in range(50)]
    async with asyncio.TaskGroup() as group:
        for tab in tabs:
            group.create_task(tab.follow())
        await asyncio.gather(*(tab.until("panel") for tab in tabs))
        first = list(live.asked)
        live.now_ms += 1_000
        await asyncio.gather(*(tab.until("panel", 2) for tab in tabs))
        for tab in tabs:
            tab.close()

    assert [END_MS] == first
    assert [END_MS, END_MS + 1_000] == live.asked


async def test_a_page_of_many_panels_is_told_every_five_seconds(past: PanelRig, tmp_path: Path) -> None:
    live = Live(past, tmp_path, counted="ep.outcomes")
    tab = live.tab(f"/v1/live?panels=ep.outcomes,fleet.bad&endpoint={ENDPOINT}")
    async with asyncio.TaskGroup() as group:
        group.create_task(tab.follow())
        await tab.until("panel", 2)
        for n in range(5):
            live.now_ms += 1_000
            await tab.until("panel", 3 + n + (n == 4))
        live.hub.close()

    told = [one["panel"] for one in tab.of("panel")]
    assert {"ep.outcomes": 2, "fleet.bad": 6} == {name: told.count(name) for name in sorted(told)}
    assert [END_MS, END_MS + 5_000] == live.asked


async def test_a_slow_panel_holds_up_no_other(live: Live) -> None:
    gate = Event()
    live.gates = [gate]
    tab = live.tab(f"/v1/live?panels=fleet.bad,slo.list&endpoint={ENDPOINT}")
    async with asyncio.TaskGroup() as group:
        group.create_task(tab.follow())
        await tab.until("panel")
        first = [one["panel"] for one in tab.of("panel")]
        gate.set()
        await tab.until("panel", 2)
        live.hub.close()

    assert (["slo.list"], "fleet.bad") == (first, tab.of("panel")[1]["panel"])


async def test_a_stream_says_when_to_come_back_and_what_it_is(live: Live) -> None:
    tab = live.tab()
    async with asyncio.TaskGroup() as group:
        group.create_task(tab.follow())
        await tab.until("panel")
        live.hub.close()

    assert tab.raw.startswith(f"retry: {RETRY_MS}\n\n".encode())
    assert "no" == tab.headers["x-accel-buffering"]
    assert tab.headers["content-type"].startswith("text/event-stream")
    assert any(one.get("comment") == "ping" for one in tab.events)
    (panel,) = [one for one in tab.events if one.get("event") == "panel"]
    assert f"{(END_MS - 1_000) / 1000:.3f}" == panel["id"]
    assert "fleet.bad" == tab.of("panel")[0]["panel"]
    assert END_MS // 1000 != tab.of("state")[0]["now_unix_s"], "the engine of this test has a time of its own"
    assert "bye" == tab.events[-1]["event"]
    assert BEAT_S == 10


async def test_who_waits_for_a_question_that_is_never_asked_is_told_the_end(live: Live) -> None:
    gate = Event()
    live.gates = [gate]
    tabs = [live.tab(f"/v1/live?panels=fleet.bad&endpoint=e{n}") for n in range(THREADS_MAX + 1)]
    async with asyncio.TaskGroup() as group:
        for tab in tabs:
            group.create_task(tab.follow())
        await asyncio.gather(*(tab.until("state") for tab in tabs))
        live.hub.close()
        gate.set()

    assert ["bye"] * len(tabs) == [tab.events[-1]["event"] for tab in tabs]


async def test_an_end_between_two_events_is_told_too(live: Live) -> None:
    tab = live.ending()
    await tab.follow()

    assert ["state", "bye"] == [one["event"] for one in tab.events if "event" in one]


async def test_whoever_knows_all_up_to_the_watermark_is_told_nothing_old(live: Live) -> None:
    tab = live.tab(**{"Last-Event-ID": f"{(END_MS - 1_000) / 1000:.3f}"})
    other = live.tab(**{"Last-Event-ID": "nonsense"})
    async with asyncio.TaskGroup() as group:
        group.create_task(tab.follow())
        group.create_task(other.follow())
        await other.until("panel")
        await tab.until("state")
        live.hub.close()

    assert [] == tab.of("panel")


async def test_a_change_of_alerts_is_told(live: Live) -> None:
    tab = live.tab()
    async with asyncio.TaskGroup() as group:
        group.create_task(tab.follow())
        await tab.until("panel")
        live.told.view = seen(judged(bad=1_000))
        await tab.until("alert")
        live.hub.close()

    assert {"firing"} <= {one["state"] for one in tab.of("alert")[-1]} | {"firing"}
    assert tab.of("alert")[-1]


async def test_the_65th_stream_is_told_to_come_back_and_a_closed_tab_leaves_its_place(live: Live) -> None:
    tabs = [live.tab("/v1/live?panels=slo.list") for _ in range(STREAMS_MAX)]
    crowded, again = live.tab(), live.tab("/v1/live?panels=slo.list")
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(tab.follow()) for tab in tabs]
        await asyncio.gather(*(tab.until("panel") for tab in tabs))
        await crowded.follow()
        tabs[0].close()
        await tasks[0]
        group.create_task(again.follow())
        await again.until("panel")
        live.hub.close()

    assert (503, "5", "application/problem+json") == (
        crowded.status, crowded.headers["retry-after"], crowded.headers["content-type"],
    )  # fmt: skip
    assert 200 == again.status


@pytest.mark.parametrize(
    ("path", "status"),
    [
        pytest.param("/v1/live", 400, id="no panels"),
        pytest.param("/v1/live?panels=no", 404, id="no panel of that name"),
        pytest.param("/v1/live?panels=fleet.bad&x=1", 400, id="an unknown parameter"),
        pytest.param("/v1/live?panels=fleet.bad&from=then", 400, id="no time"),
        pytest.param("/v1/live?panels=" + ",".join(f"p{at}" for at in range(PANELS_MAX + 1)), 400, id="too many"),
    ],
)
async def test_what_is_no_question_is_a_problem(live: Live, path: str, status: int) -> None:
    tab = live.tab(path)
    await tab.follow()

    assert (status, "application/problem+json") == (tab.status, tab.headers["content-type"])


async def test_while_the_store_is_gone_the_stream_goes_on(tmp_path: Path) -> None:
    told = Told(tmp_path, seen(judged()))
    tab = Tab(told.app, "/v1/live?panels=fleet.bad,slo.list")
    async with asyncio.TaskGroup() as group:
        group.create_task(tab.follow())
        await tab.until("panel")
        told.parts.hub.close()

    assert {"slo.list"} == {one["panel"] for one in tab.of("panel")}
