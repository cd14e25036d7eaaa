"""One answer serves all who wait for it."""

import asyncio

import msgspec
import pytest
from panel_rig import END_MS, ENDPOINT, PanelRig

from slo.live_hub import ANSWERS_MAX, SHARED_MAX, STREAMS_MAX, THREADS_MAX, Hub
from slo.panel_asked import PanelAsked
from slo.panel_desk import PanelDesk
from slo.panel_documents import Documented
from slo.panel_facts import SharedAnswers
from slo.panel_shown import told

ASKED = PanelAsked(endpoint=[ENDPOINT])


@pytest.fixture
def now(past: PanelRig) -> list[int]:
    past.now_ms = END_MS
    return [END_MS]


async def test_whoever_asks_the_same_in_one_tick_waits_for_one_answer(past: PanelRig, now: list[int]) -> None:
    hub = Hub(past.desk, lambda: now[0])
    panel = past.desk.panels[0]
    first, same = hub.ask(panel, ASKED, 10), hub.ask(panel, PanelAsked(endpoint=[ENDPOINT]), 10)
    other = hub.ask(panel, PanelAsked(endpoint=["other"]), 10)
    now[0] += 10_000
    later = hub.ask(panel, ASKED, 10)

    assert first[1] is same[1]
    assert first[1] is not other[1]
    assert (first[0] + 1, False) == (later[0], later[1] is first[1])
    written = await first[1]
    assert panel.id == written.answer.panel
    assert msgspec.json.encode(told(written.answer)) == written.data
    await asyncio.gather(other[1], later[1])
    hub.close()


async def test_only_so_many_answers_are_remembered(past: PanelRig, now: list[int]) -> None:
    hub = Hub(
        PanelDesk(past.desk.panels, past.reader, lambda _document, _asked: Documented(), lambda: END_MS), lambda: now[0]
    )
    document = next(one for one in past.desk.panels if one.document is not None)
    asked = [PanelAsked(endpoint=[f"e{at}"]) for at in range(ANSWERS_MAX + 1)]
    futures = [hub.ask(document, one, 1)[1] for one in asked]
    await asyncio.gather(*futures)

    assert hub.ask(document, asked[-1], 1)[1] is futures[-1]
    assert hub.ask(document, asked[0], 1)[1] is not futures[0]
    assert THREADS_MAX == 4
    hub.close()


async def test_what_was_said_is_forgotten_with_its_tick(past: PanelRig, now: list[int]) -> None:
    hub = Hub(past.desk, lambda: now[0])
    document = next(one for one in past.desk.panels if one.document is not None)
    first, longer = hub.ask(document, ASKED, 10)[1], hub.ask(document, ASKED.model_copy(update={"step": 60}), 60)[1]
    now[0] += 10_000
    await hub.ask(document, PanelAsked(), 10)[1]
    now[0] -= 10_000  # a clock that was set back shows what is known still

    assert hub.ask(document, ASKED, 10)[1] is not first
    assert hub.ask(document, ASKED.model_copy(update={"step": 60}), 60)[1] is longer
    hub.close()


async def test_when_nobody_looks_any_more_nothing_is_remembered(past: PanelRig, now: list[int]) -> None:
    hub = Hub(past.desk, lambda: now[0])
    document = next(one for one in past.desk.panels if one.document is not None)
    assert hub.enter()
    assert hub.enter()
    first = hub.ask(document, ASKED, 10)[1]
    hub.leave()
    assert hub.ask(document, ASKED, 10)[1] is first
    hub.leave()

    assert hub.ask(document, ASKED, 10)[1] is not first
    await first
    hub.close()


async def test_the_65th_has_no_place_and_none_is_left_when_all_end(past: PanelRig) -> None:
    hub = Hub(past.desk, lambda: END_MS)

    assert [True] * STREAMS_MAX + [False] == [hub.enter() for _ in range(STREAMS_MAX + 1)]
    hub.leave()
    assert hub.enter()
    hub.close()
    hub.leave()
    assert not hub.enter()
    assert hub.is_closed
    await hub.pause(60)  # ends at once


async def test_a_pause_ends_by_itself(past: PanelRig) -> None:
    hub = Hub(past.desk, lambda: END_MS)
    await hub.pause(0.01)

    assert not hub.is_closed
    hub.close()


def test_whoever_asks_in_one_moment_is_told_the_same(past: PanelRig, now: list[int]) -> None:
    at_s = [0.0]
    hub = Hub(past.desk, lambda: now[0], SharedAnswers(1.0, lambda: at_s[0], SHARED_MAX))
    panel = next(one for one in past.desk.panels if one.id == "fleet.bad")
    first, same = hub.answer(panel, ASKED), hub.answer(panel, PanelAsked(endpoint=[ENDPOINT]))
    other = hub.answer(panel, PanelAsked(endpoint=["other"]))
    at_s[0] = 1.0
    later = hub.answer(panel, ASKED)

    assert first is same
    assert first is not other
    assert first is not later
    assert first.answer == later.answer
    hub.close()


def test_without_a_moment_each_is_answered_anew(past: PanelRig, now: list[int]) -> None:
    hub = Hub(past.desk, lambda: now[0])
    panel = next(one for one in past.desk.panels if one.document is None)

    assert hub.answer(panel, ASKED) is not hub.answer(panel, ASKED)
    hub.close()


def test_no_more_are_remembered_for_those_without_a_stream(past: PanelRig, now: list[int]) -> None:
    hub = Hub(past.desk, lambda: now[0], SharedAnswers(1.0, lambda: 0.0, SHARED_MAX))
    document = next(one for one in past.desk.panels if one.document is not None)
    first = hub.answer(document, ASKED)
    for at in range(SHARED_MAX - 1):
        hub.answer(document, PanelAsked(endpoint=[f"e{at}"]))
    assert hub.answer(document, ASKED) is first
    for at in range(SHARED_MAX):
        hub.answer(document, PanelAsked(endpoint=[f"f{at}"]))

    assert hub.answer(document, ASKED) is not first
    hub.close()
