"""Traces on disk: the plan's own file or none, packed or not, and never a traceback for a bad one."""

import gzip
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from loadtest import traces
from loadtest.errors import TraceError
from loadtest.plan_spec import Fixed, PlanSpec, RateCurve, Separate, TraceFormat, TraceSpec, WorkloadClass
from loadtest.planner import build, receipt
from loadtest.prompts import Writer
from loadtest.trace_formats import TraceRow
from loadtest.traces import LENGTHS_BYTES_MAX, LINE_BYTES_MAX, TRACE_BYTES_MAX, digest, load, write

FIXTURES = Path(__file__).parent.parent / "fixtures" / "traces"


def plan_of(path: Path, kind: TraceFormat) -> PlanSpec:
    return PlanSpec(seed=1, trace=TraceSpec(format=kind, sha256=digest(path)))


def packed(tmp_path: Path, data: bytes) -> Path:
    path = tmp_path / "trace.gz"
    path.write_bytes(gzip.compress(data))
    return path


def test_a_plan_that_replays_azure() -> None:
    spec = plan_of(FIXTURES / "azure.csv", TraceFormat.AZURE)
    plan = build(spec, load(FIXTURES / "azure.csv", spec))

    assert 19 == len(plan)
    assert (None, 19) == (receipt(plan).process, receipt(plan).planned.n)
    assert plan.sha256 == build(spec, load(FIXTURES / "azure.csv", spec)).sha256


def test_a_packed_file_gives_the_same_rows(tmp_path: Path) -> None:
    path = packed(tmp_path, (FIXTURES / "mooncake.jsonl").read_bytes())
    plain = plan_of(FIXTURES / "mooncake.jsonl", TraceFormat.MOONCAKE)

    assert load(FIXTURES / "mooncake.jsonl", plain) == load(path, plan_of(path, TraceFormat.MOONCAKE))


def test_case_10_rows_that_share_k_leading_ids_share_k_blocks_of_text() -> None:
    spec = plan_of(FIXTURES / "mooncake.jsonl", TraceFormat.MOONCAKE)
    plan, writer = build(spec, load(FIXTURES / "mooncake.jsonl", spec)), Writer(spec.seed)
    prompts = [(one.blocks, writer.prompt(one).split()) for one in plan.mine(0, 1)]
    shared = 0
    for at, (blocks, words) in enumerate(prompts):
        for others, other_words in prompts[:at]:
            k = leading(blocks, others)
            shared += k > 0

            assert min(k * 512, len(words), len(other_words)) == leading(words, other_words)
    assert shared > 30


def leading(one: Sequence[object], other: Sequence[object]) -> int:
    pairs = list(zip(one, other, strict=False))
    return next((at for at, (a, b) in enumerate(pairs) if a != b), len(pairs))


def test_servegen_begins_where_it_is_asked_to_and_its_classes_say_lengths() -> None:
    lengths = Separate(tokens_in=Fixed(tokens=9), tokens_out=Fixed(tokens=4))
    trace = TraceSpec(format=TraceFormat.SERVEGEN, sha256=digest(FIXTURES / "servegen.csv"), start_s=259_800)
    spec = PlanSpec(seed=1, trace=trace, duration_s=300, classes=(WorkloadClass(lengths=lengths),))
    plan = build(spec, load(FIXTURES / "servegen.csv", spec))
    whole = msgspec.structs.replace(spec, duration_s=None)

    assert 0 < plan.t_sched_ns[0] < plan.t_sched_ns[-1] < 300e9
    assert (9, 4) == (plan.arrival(0).len_in, plan.arrival(0).len_out)
    assert len(build(whole, load(FIXTURES / "servegen.csv", whole))) > len(plan)


def test_our_own_rows_come_back(tmp_path: Path) -> None:
    rows = [TraceRow(t_ns=0, len_in=1, len_out=2, workload_class="x"), TraceRow(t_ns=5, len_in=3, len_out=None)]
    path = tmp_path / "own.jsonl"
    sha256 = write(path, rows)

    assert digest(path) == sha256
    assert tuple(rows) == load(path, plan_of(path, TraceFormat.STORE)).rows


def test_another_file_than_the_plans_is_refused() -> None:
    spec = plan_of(FIXTURES / "azure.csv", TraceFormat.AZURE)

    with pytest.raises(TraceError, match="found the file"):
        load(FIXTURES / "mooncake.jsonl", spec)


def test_a_plan_without_a_trace() -> None:
    with pytest.raises(TraceError, match="no trace"):
        load(FIXTURES / "azure.csv", PlanSpec(seed=1, rate=RateCurve(points=((0, 1),)), count=1))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match="No such file"):
        digest(tmp_path / "none")
    with pytest.raises(TraceError, match="No such file"):
        write(tmp_path / "none" / "deeper", [])


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\xff\xfe,\n", id="no UTF-8"),
        pytest.param(gzip.compress(b"x" * 5000)[:-9], id="a packed file that ends early"),
        pytest.param(b"\x1f\x8b" + b"x" * 50, id="no packed file"),
        pytest.param(b"", id="an empty file"),
    ],
)
def test_a_bad_file_is_an_error_with_a_word(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "bad"
    path.write_bytes(data)

    with pytest.raises(TraceError):
        load(path, plan_of(path, TraceFormat.AZURE))


@pytest.mark.parametrize("name", ["LINE_BYTES_MAX", "TRACE_BYTES_MAX"])
def test_bounds_of_lines_and_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    path = packed(tmp_path, b"TIMESTAMP,ContextTokens,GeneratedTokens,\n2023-11-16 18:17:03,1,1,\n")
    spec = plan_of(path, TraceFormat.AZURE)
    bound = {"LINE_BYTES_MAX": 41, "TRACE_BYTES_MAX": 66}[name]

    assert LINE_BYTES_MAX < TRACE_BYTES_MAX
    monkeypatch.setattr(traces, name, bound)
    assert 1 == len(load(path, spec).rows)
    monkeypatch.setattr(traces, name, bound - 1)
    with pytest.raises(TraceError, match="in all"):
        load(path, spec)


def folder(
    tmp_path: Path, lengths: bytes | None = b'{"0": {"input_tokens": "{7: 1}", "output_tokens": "{3: 1}"}}'
) -> Path:
    (tmp_path / "chunk-0-trace.csv").write_text("0,1,1,Gamma,0.5,1\n600,2,1,,,\n")
    (tmp_path / "chunk-1-trace.csv").write_text("0,1,1,Weibull,0.9,1\n")
    if lengths is not None:
        (tmp_path / "chunk-1-dataset.json").write_bytes(lengths)
    return tmp_path


def test_the_published_folder_of_servegen(tmp_path: Path) -> None:
    spec = plan_of(folder(tmp_path), TraceFormat.SERVEGEN)
    rows = load(tmp_path, spec).rows

    assert {(7, 3), (None, None)} == {(row.len_in, row.len_out) for row in rows}
    assert 1200e9 > rows[-1].t_ns > 600e9
    (tmp_path / "chunk-1-dataset.json").write_bytes(b"{}")
    with pytest.raises(TraceError, match="found the file"):
        load(tmp_path, spec)


def test_a_folder_without_a_chunk(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match="0 arrivals"):
        load(tmp_path, plan_of(tmp_path, TraceFormat.SERVEGEN))
    with pytest.raises(TraceError, match="directory"):
        load(tmp_path, plan_of(tmp_path, TraceFormat.AZURE))


def test_lengths_that_are_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = plan_of(folder(tmp_path, b'{"0": {}}'), TraceFormat.SERVEGEN)

    assert LENGTHS_BYTES_MAX > 9
    monkeypatch.setattr(traces, "LENGTHS_BYTES_MAX", 9)
    load(tmp_path, spec)
    monkeypatch.setattr(traces, "LENGTHS_BYTES_MAX", 8)
    with pytest.raises(TraceError, match="more than 8"):
        load(tmp_path, spec)
