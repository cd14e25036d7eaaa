"""A queue is as long as it takes: the seed's 75 beside the seconds that they are, on a real store."""

from collections.abc import Mapping
from uuid import UUID

import msgspec
import pytest
from metrics_rig import NOW_S, asked, insert, scrape

from slo.jump import Verdict
from slo.rules.rule import Found, Mode, Rule, Settings
from slo.rules.scraped import FRESH_S
from slo.rules.waiting import QueueDepthRule
from telemetry.record import RequestBatch
from telemetry.samples import EngineSample
from telemetry.store import Store
from telemetry.testing.memory_store import sample_request
from telemetry.testing.store_process import StoreProcess

RULE: Rule = QueueDepthRule(settings=Settings())
SILENT, TICKET = Verdict.SILENT, Verdict.TICKET


def queued(endpoint: str, waiting: int | None, per_s: float | None, scrapes: int = 32) -> list[EngineSample]:
    """Scrapes up to now of an engine in which so many wait and which ends so many in a second."""
    return [
        scrape(
            endpoint, "r0", NOW_S - 5 - 10 * n, queued=waiting,
            success_total={} if per_s is None else {"stop": round((10_000 - 10 * n) * per_s)},
        )
        for n in range(scrapes)
    ]  # fmt: skip


QUEUES: dict[str, tuple[list[EngineSample], tuple[Verdict, Verdict, bool]]] = {
    "75 at 3.24 a second are 23 s": (queued("seed", 75, 3.243), (TICKET, TICKET, True)),
    "74 are as bad, and the plain count sees nothing": (queued("below", 74, 3.243), (TICKET, SILENT, True)),
    "7 are longer than 1.9 s as well": (queued("few", 7, 3.243), (TICKET, SILENT, True)),
    "6 are not": (queued("fewer", 6, 3.243), (SILENT, SILENT, True)),
    "80 of a fast replica are 1.6 s, and the plain count fires": (queued("fast", 80, 50), (SILENT, TICKET, True)),
    "3 before an engine that ends nothing": (queued("dead", 3, 0), (TICKET, SILENT, True)),
    "one waits at every other scrape, where little ends": (
        [msgspec.structs.replace(one, queued=n % 2) for n, one in enumerate(queued("half", 0, 0.05))],
        (SILENT, SILENT, True),
    ),
    "nothing waits, and nothing ends": (queued("calm", 0, 0), (SILENT, SILENT, True)),
    "endings are not told, nor seen": (queued("untold", 80, None), (SILENT, TICKET, False)),
    "waiting is not told": (queued("mute", None, 3), (SILENT, SILENT, False)),
    "two scrapes are too few for a rate": (queued("young", 75, 3.243, 2), (SILENT, TICKET, False)),
}


@pytest.fixture(scope="module")
def found(process: StoreProcess) -> Mapping[str, Found]:
    writer, reader = process.store("writer"), process.store("reader")
    insert(writer, [row for rows, _ in QUEUES.values() for row in rows])
    answer = {one.labels["endpoint"]: one for one in asked(reader, RULE, NOW_S)}
    writer.close()
    reader.close()
    return answer


@pytest.mark.parametrize("queue", QUEUES)
def test_of_a_queue(queue: str, found: Mapping[str, Found]) -> None:
    rows, expected = QUEUES[queue]
    one = found[rows[0].endpoint]

    assert expected == (one.sound, one.naive, one.is_known), one.words


def test_a_count_is_told_with_its_seconds(found: Mapping[str, Found]) -> None:
    assert {
        "summary": "seed/r0 has 75 waiting, which is 23.1 s at 3.24 answers/s, of 1.89 s allowed",
        "naive": "75 wait: act; here 75 are 23.1 s, and 50 to 100 are 15 to 31 s",
    } == found["seed"].words
    assert "dead/r0 has 3 waiting, and nothing ended, of 1.89 s allowed" == found["dead"].words["summary"]


def test_what_users_saw_stands_in_for_endings_that_are_not_told(reader: Store, writer: Store) -> None:
    insert(writer, queued("seen", 9, None))
    sent = [
        msgspec.structs.replace(
            sample_request(n, (NOW_S - n) * 1000), endpoint="seen", replica="r0", record_id=UUID(int=1_000 + n)
        )
        for n in range(1, 101)
    ]
    writer.insert_requests(RequestBatch(collector="n/seen", seqs=tuple(range(100)), records=tuple(sent)), "seen")
    patient = QueueDepthRule(settings=Settings(options={"tau_q_s": 27.5}))
    impatient = QueueDepthRule(settings=Settings(options={"tau_q_s": 26.5}))

    for rule, expected in ((patient, SILENT), (impatient, TICKET)):  # 9 at 100 in 300 s are 27 s
        [one] = [one for one in asked(reader, rule, NOW_S) if one.labels["endpoint"] == "seen"]
        assert (expected, True) == (one.sound, one.is_known)


def test_the_seed_alone_needs_no_seconds(reader: Store, found: Mapping[str, Found]) -> None:
    seed = QueueDepthRule(settings=Settings(mode=Mode.NAIVE, threshold=81))
    told = {one.labels["endpoint"]: one for one in asked(reader, seed, NOW_S)}

    assert (TICKET, False) == (found["untold"].naive, found["untold"].is_known)
    assert (SILENT, True) == (told["untold"].naive, told["untold"].is_known)
    assert not told["mute"].is_known


def test_a_queue_that_is_not_looked_at_any_more_is_not_known(reader: Store, found: Mapping[str, Found]) -> None:
    [one] = [one for one in asked(reader, RULE, NOW_S + FRESH_S) if one.labels["endpoint"] == "seed"]

    assert found["seed"].is_known
    assert (SILENT, False) == (one.sound, one.is_known)
