import asyncio
import json
from random import Random

from asking import good

from probes.async_jobs import Job, Pace
from probes.budget import Cap
from probes.finding import Subject, Word
from probes.planned import Certificate, Name, Planned, PlannedStage, Single, Steps, scheduled
from probes.question import Wish
from probes.reach import Host, Page
from probes.synthetic import Completion, Labels
from telemetry.fetch import Client
from telemetry.guard import ENGINE
from telemetry.record import RequestRecord
from telemetry.samples import ProbeResult
from telemetry.testing.endpoint import Endpoint
from telemetry.testing.steps import AwaitToken, Send
from telemetry.testing.wire import Script

RANDOM = Random(3)  # noqa: S311 -- identifiers of a test


def answer(body: object, until: bytes = b"\r\n\r\n") -> Script:
    told = json.dumps(body).encode()
    return [AwaitToken(until), Send(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(told) + told)]


def url(endpoint: Endpoint) -> str:
    return f"http://127.0.0.1:{endpoint.address[1]}"


def completion(endpoint: Endpoint, *, tells_text: bool = False) -> Completion:
    wish = Wish(url=url(endpoint), api="openai_chat", engine="other", model="m", prompt="write")
    return Completion(wish=wish, labels=Labels(endpoint="film"), policy=ENGINE, tells_text=tells_text)


async def test_a_pipeline_hands_texts_on_and_gives_a_row_for_each_stage_and_the_whole() -> None:
    with (
        Endpoint([AwaitToken(b"}"), Send(good("a ", "fox"))]) as writer,
        Endpoint(answer({"data": [{"url": "http://image"}]}, until=b"}")) as painter,
        Endpoint(answer({"request_id": "j", "status": "success"})) as queue,
    ):
        queue.enqueue(answer({"request_id": "j", "status": "queued"}, until=b"}"))
        job = Job(url=url(queue), policy=ENGINE, body={"s": "${script}", "i": "${image}"}, pace=Pace(first_s=0.001))
        page = Page(url=url(painter), policy=ENGINE, body={"prompt": "${script}"}, take="data.0.url")
        stages: list[tuple[str, Single]] = [
            ("script", completion(writer, tells_text=True)),
            ("image", page),
            ("video", job),
        ]
        steps = Steps(stages=[PlannedStage(name=name, what=what, budget_s=60) for name, what in stages], budget_s=100)
        subject = Subject(target="film", name="pipeline", kind="workflow", region="eu")
        [probe] = scheduled([Planned(subject=subject, what=steps, interval_s=900)], Client(), RANDOM)

        rows = await probe.ask()
        [painted], [handed_in, _] = painter.transcripts(1), queue.transcripts(2)

    results = [row for row in rows if isinstance(row, ProbeResult)]
    [record] = [row for row in rows if isinstance(row, RequestRecord)]
    assert ["pipeline", "pipeline/script", "pipeline/image", "pipeline/video"] == [row.probe for row in results]
    assert [1, 1, 1, 1] == [row.ok for row in results]
    assert record.record_id == results[1].record_id
    assert b'{"prompt":"a fox"}' in painted.received
    assert b'{"s":"a fox","i":"http://image"}' in handed_in.received
    assert not any("fox" in str(row.detail) for row in results)


async def test_probes_of_one_target_share_its_turn_and_others_do_not() -> None:
    with Endpoint([AwaitToken(b"}"), Send(good("a"))]) as endpoint:
        planned = [
            Planned(
                subject=Subject(target=target, name=name, kind="completion"), what=completion(endpoint), interval_s=1
            )
            for target, name in [("a", "1"), ("a", "2"), ("b", "1")]
        ]
        first, second, other = scheduled(planned, Client(), RANDOM)

        assert first.limit_s == second.limit_s > other.limit_s
        assert 3 == len(await asyncio.gather(first.ask(), second.ask(), other.ask()))


async def test_stages_of_a_workflow_spend_one_budget() -> None:
    with Endpoint([AwaitToken(b"}"), Send(good("a"))]) as endpoint:
        stages = [PlannedStage(name=name, what=completion(endpoint), budget_s=60) for name in ("one", "two")]
        planned = Planned(
            subject=Subject(target="t", name="w", kind="workflow"),
            what=Steps(stages=stages, budget_s=100),
            interval_s=1,
            cap=Cap(tokens_max=1),
        )
        [probe] = scheduled([planned], Client(), RANDOM)

        assert [] != await probe.ask()
        rows = await probe.ask()
        endpoint.transcripts(1)

    assert [] == rows  # told in the first round, by the second stage


async def test_certificates_and_names_are_asked_for_too() -> None:
    with Endpoint() as endpoint:
        host = Host(url=url(endpoint).replace("http:", "https:"), policy=ENGINE)
    named: list[tuple[str, Single]] = [
        ("tls", Certificate(host=host)),
        ("dns", Name(host=Host(url="http://localhost/", policy=ENGINE))),
    ]
    planned = [
        Planned(subject=Subject(target="t", name=name, kind=name), what=what, interval_s=1) for name, what in named
    ]

    results = [row for probe in scheduled(planned, Client(), RANDOM) for row in await probe.ask()]

    assert ["connect_error", "ok"] == [row.outcome for row in results]
    assert Word.GUARDED not in {row.outcome for row in results}
