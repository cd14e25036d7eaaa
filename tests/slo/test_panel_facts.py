"""What was asked in the last moment is not asked again."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from panel_rig import PanelRig

from slo.panel_facts import FACTS_MAX, Facts
from telemetry.errors import StoreError, StoreUnreachableError
from telemetry.queries.question import Question
from telemetry.store import Store
from telemetry.testing.endpoint import Endpoint
from telemetry.testing.steps import AwaitToken, HalfClose, Send

REFUSED = (
    AwaitToken(), Send(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"), HalfClose(),
)  # fmt: skip


def rows_of(facts: Facts, name: str) -> int:
    sql = "SELECT count() AS n FROM inferometer.markers WHERE text = {name:String}"
    return int(facts.ask(Question(sql=sql, parameters={"name": name}))[0]["n"])


def mark(past: PanelRig, name: str) -> None:
    past.stored.insert_rows("markers", [{"at": 1_790_000_000, "kind": "note", "text": name, "actor": f"{name}"}])


def test_an_answer_holds_for_its_moment(past: PanelRig) -> None:
    now = [0.0]
    facts = Facts(past.reader, 1.0, lambda: now[0])
    before = rows_of(facts, "moment")
    mark(past, "moment")
    now[0] = 0.9
    within = rows_of(facts, "moment")
    now[0] = 1.0

    assert (0, 0, 1) == (before, within, rows_of(facts, "moment"))


def test_without_a_moment_everything_is_asked(past: PanelRig) -> None:
    facts = Facts(past.reader, 0.0, lambda: 0.0)
    before = rows_of(facts, "each")
    mark(past, "each")

    assert (0, 1) == (before, rows_of(facts, "each"))


def test_all_who_ask_at_once_get_the_same_answer(past: PanelRig) -> None:
    facts = Facts(past.reader, 1.0, lambda: 0.0)
    question = Question(sql="SELECT generateUUIDv4() AS id")
    with ThreadPoolExecutor(8) as threads:
        found = [threads.submit(facts.ask, question) for _ in range(8)]

    assert 1 == len({one.result()[0]["id"] for one in found})


def test_only_so_many_are_remembered(past: PanelRig) -> None:
    facts = Facts(past.reader, 1.0, lambda: 0.0)
    first = facts.ask(Question(sql="SELECT generateUUIDv4() AS id, {n:UInt32} AS n", parameters={"n": 0}))
    for n in range(1, FACTS_MAX + 1):
        facts.ask(Question(sql="SELECT {n:UInt32} AS n", parameters={"n": n}))

    assert first != facts.ask(Question(sql="SELECT generateUUIDv4() AS id, {n:UInt32} AS n", parameters={"n": 0}))


def test_all_who_wait_for_a_question_that_fails_learn_of_it_by_one() -> None:
    with Endpoint(REFUSED) as endpoint:
        facts = Facts(Store(f"http://127.0.0.1:{endpoint.address[1]}"), 1.0, lambda: 0.0)
        with ThreadPoolExecutor(8) as threads:
            asked = [threads.submit(facts.ask, Question(sql="SELECT 1")) for _ in range(8)]
        told = [one.exception() for one in asked]
        connections = endpoint.transcripts(1)

    assert [StoreUnreachableError] * 8 == list(map(type, told))
    assert 8 == len({id(one) for one in told}), "raising writes into an error"
    assert 1 == len(connections)


def test_a_question_that_failed_is_asked_again_after_its_moment() -> None:
    now = [0.0]
    with Endpoint(REFUSED) as endpoint:
        facts = Facts(Store(f"http://127.0.0.1:{endpoint.address[1]}"), 1.0, lambda: now[0])
        for now[0] in (0.0, 0.9, 1.0):
            with pytest.raises(StoreError):
                facts.ask(Question(sql="SELECT 1"))
        connections = endpoint.transcripts(2)

    assert 2 == len(connections)
