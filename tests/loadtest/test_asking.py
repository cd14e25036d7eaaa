from typing import Any

import msgspec
import pytest

from loadtest.asking import Asker
from loadtest.plan_spec import (
    Conversations,
    Fixed,
    Patience,
    PlannedAborts,
    PlanSpec,
    RateCurve,
    Separate,
    WorkloadClass,
)
from loadtest.planner import build
from loadtest.prompts import Calibration
from loadtest.run_spec import Api, RunSpec
from loadtest.waits import ENDLESS

LENGTHS = Separate(tokens_in=Fixed(tokens=40), tokens_out=Fixed(tokens=9))


def asked(kind: WorkloadClass | None = None, **run: Any) -> tuple[Any, dict[str, Any]]:  # noqa: ANN401 -- fields of a run
    spec = PlanSpec(
        seed=7,
        rate=RateCurve(points=((0.0, 10.0),)),
        count=3,
        classes=(kind or WorkloadClass(lengths=LENGTHS),),
    )
    made = RunSpec(run_id="a", targets=("http://a",), plan=spec, directory="d", model="m", **run)
    plan = build(spec)
    asker = Asker(made, plan)
    ask = asker.ask(plan.arrival(1), [asker.prompt(plan.arrival(1))], 77)
    return ask, msgspec.json.decode(ask.body)


def test_a_chat_is_asked_for_with_its_length_and_its_usage() -> None:
    ask, body = asked()

    assert ("/v1/chat/completions", 77, ENDLESS) == (ask.path, ask.t_sched_ns, ask.patience)
    assert ("m", 9, True, True, {"include_usage": True}) == (
        body["model"],
        body["max_tokens"],
        body["stream"],
        body["ignore_eos"],
        body["stream_options"],
    )
    assert ("openai_chat", True, True) == (ask.shape.api, ask.shape.stream, ask.shape.include_usage)
    (message,) = body["messages"]
    assert 40 <= len(message["content"].split()) <= 41


def test_a_completion_has_a_prompt() -> None:
    ask, body = asked(api=Api.COMPLETIONS)

    assert ("/v1/completions", "openai_completions", True) == (ask.path, ask.shape.api, "messages" not in body)
    assert body["prompt"]


def test_what_an_engine_does_not_know_is_not_sent() -> None:
    ask, body = asked(ignore_eos=False, include_usage=False)

    assert {"model", "max_tokens", "stream", "messages"} == set(body)
    assert not ask.shape.include_usage


def test_a_class_gives_patience_priority_and_aborts() -> None:
    ask, body = asked(
        WorkloadClass(
            lengths=LENGTHS,
            patience=Patience(median_s=2.0, gap_s=0.5),
            priority=3,
            aborts=PlannedAborts(ratio=1.0, after_tokens=4),
        )
    )

    assert (2.0, 0.5, 4, 3) == (ask.patience.visible_s, ask.patience.gap_s, ask.abort_after, body["priority"])


@pytest.mark.parametrize("salt", ["", "x"])
def test_no_two_prompts_begin_alike(salt: str) -> None:
    spec = PlanSpec(seed=7, rate=RateCurve(points=((0.0, 10.0),)), count=50)
    run = RunSpec(run_id="a", targets=("http://a",), plan=spec, directory="d", model="m", salt=salt)
    plan = build(spec)
    asker = Asker(run, plan)

    heads = {asker.prompt(plan.arrival(j))[:16] for j in range(50)}

    assert 50 == len(heads)


def test_a_further_turn_repeats_what_was_said() -> None:
    spec = PlanSpec(
        seed=7,
        rate=RateCurve(points=((0.0, 10.0),)),
        count=1,
        classes=(WorkloadClass(lengths=LENGTHS, conversations=Conversations(turns=(2, 2), think_s=0.1)),),
    )
    run = RunSpec(run_id="a", targets=("http://a",), plan=spec, directory="d", model="m")
    plan = build(spec)
    asker = Asker(run, plan)
    (turn,) = plan.follow_ups(0)
    new = asker.follow_up(plan.arrival(0), turn)
    ask = asker.ask(plan.arrival(0), ["first", "answer", new], None, keeps_body=True)

    assert [("user", "first"), ("assistant", "answer"), ("user", new)] == [
        (message["role"], message["content"]) for message in msgspec.json.decode(ask.body)["messages"]
    ]
    assert (None, True) == (ask.t_sched_ns, ask.keeps_body)
    assert turn.len_in == len(new.split())


def test_a_probe_has_its_words_and_asks_for_one_token() -> None:
    spec = PlanSpec(seed=7, rate=RateCurve(points=((0.0, 10.0),)), count=1)
    made = RunSpec(run_id="a", targets=("http://a",), plan=spec, directory="d", model="m", salt="s")
    asker = Asker(made, build(spec))
    few, many = (msgspec.json.decode(asker.probe(words).body) for words in (16, 64))

    assert (17, 65) == tuple(len(body["messages"][0]["content"].split()) for body in (few, many))  # and the nonce
    assert (1, "m") == (few["max_tokens"], few["model"])
    assert few["messages"][0]["content"][:16] != many["messages"][0]["content"][:16]


def test_a_calibrated_run_asks_with_fewer_words() -> None:
    _, body = asked(calibration=Calibration(tokens_per_word=2.0, tokens_fixed=10.0))
    (message,) = body["messages"]

    assert 15 <= len(message["content"].split()) <= 16
