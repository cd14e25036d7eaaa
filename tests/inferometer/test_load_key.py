from pathlib import Path

import msgspec
import pytest

from inferometer.errors import ConfigurationError
from inferometer.load_key import ENGINE_BYTES_MAX, UNKNOWN, Engine, engine, is_partial, key
from loadtest.baseline import PARTIAL, differences, flags_hash
from loadtest.plan_spec import Objectives, PlanSpec, RateCurve, WorkloadClass
from loadtest.planner import build
from loadtest.run_spec import RunSpec

PLAN = PlanSpec(seed=7, rate=RateCurve(points=((0.0, 40.0),)), count=20)
RUN = RunSpec(run_id="r1", targets=("http://a",), plan=PLAN, directory="d", model="m")


def test_what_is_not_known_makes_a_partial_key() -> None:
    found = key(RUN, build(PLAN), UNKNOWN)

    assert ("m", "poisson", "open", PARTIAL, None) == (
        *(found.model, found.process, found.loop, found.flags_hash, found.gpu_model),
    )


def test_some_flags_make_a_partial_key_that_shows_a_difference_between_them() -> None:
    one, other, all_of_them = (
        key(RUN, build(PLAN), Engine(flags={"block_size": size}, partial=partial))
        for size, partial in ((16, True), (32, True), (16, False))
    )

    assert [True, True, False] == [is_partial(found) for found in (one, other, all_of_them)]
    assert ["flags_hash"] == [found.name for found in differences(one, other)]


def test_the_file_of_an_engine(tmp_path: Path) -> None:
    path = tmp_path / "engine.yaml"
    path.write_text("engine: vllm\nengine_version: 0.32.0\ngpus: 1\nflags: {max-num-seqs: 256, port: 8000, eager: }\n")
    found = key(RUN, build(PLAN), engine(path))

    assert ("vllm", "0.32.0", 1) == (found.engine, found.engine_version, found.gpus)
    assert flags_hash({"max-num-seqs": "256", "eager": None}) == found.flags_hash  # where it listens does not count


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"api": "openai_completions"}, ["sampling_id"]),
        ({"model": "n"}, ["model"]),
        ({"run_id": "r2"}, []),
    ],
)
def test_what_another_run_differs_in(change: dict[str, object], names: list[str]) -> None:
    other = msgspec.structs.replace(RUN, **change)

    assert names == [one.name for one in differences(key(RUN, build(PLAN), UNKNOWN), key(other, build(PLAN), UNKNOWN))]


def test_objectives_are_part_of_the_key_and_their_order_is_not() -> None:
    fast, slow = (WorkloadClass(name=n, objectives=Objectives(ttft_s=s)) for n, s in (("a", 1.0), ("b", 2.0)))
    runs = [
        msgspec.structs.replace(RUN, plan=msgspec.structs.replace(PLAN, classes=classes))
        for classes in ((fast, slow), (slow, fast), (fast,))
    ]
    one, other, third = (key(run, build(run.plan), UNKNOWN).slo_id for run in runs)

    assert one == other != third


@pytest.mark.parametrize(
    ("data", "named"),
    [
        (b"engin: vllm", "allowed: model_revision"),
        (b"gpus: many", "gpus"),
        (b"- vllm", "object"),
        (b"a: [", "while parsing"),
        (b"", "object"),
        (b"\xff\xfe\xff", "engine"),
        (b"# " + b"x" * (ENGINE_BYTES_MAX - 1), "longer than"),
    ],
)
def test_what_says_something_else_is_refused(data: bytes, named: str, tmp_path: Path) -> None:
    path = tmp_path / "engine.yaml"
    path.write_bytes(data)

    with pytest.raises(ConfigurationError, match=named):
        engine(path)


def test_the_longest_file_of_an_engine(tmp_path: Path) -> None:
    path = tmp_path / "engine.yaml"
    path.write_bytes(b"gpus: 2\n#" + b"x" * (ENGINE_BYTES_MAX - 9))

    assert Engine(gpus=2) == engine(path)
    with pytest.raises(ConfigurationError, match="No such file"):
        engine(tmp_path / "none")


def test_users_of_a_closed_loop_are_part_of_the_key() -> None:
    plans = [PlanSpec(seed=7, slots=slots, duration_s=9.0, count=9) for slots in (2, 3)]
    two, three = (key(msgspec.structs.replace(RUN, plan=plan), build(plan), UNKNOWN) for plan in plans)

    assert ("closed", "2 slots", "closed", "3 slots") == (two.loop, two.process, three.loop, three.process)
    assert "open" == key(RUN, build(PLAN), UNKNOWN).loop
