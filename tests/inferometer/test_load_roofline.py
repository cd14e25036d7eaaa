"""What a report says of the roofline, where the file of an engine tells enough."""

from pathlib import Path

import msgspec
from load_rows import row

from inferometer.load_key import Engine, engine
from inferometer.load_roofline import served, tables, told
from inferometer.report_tables import markdown
from loadtest.rows import Row
from telemetry.outcome import Outcome

FILE = """\
gpu_model: NVIDIA H100 80GB HBM3
tensor_parallel: 1
weight_dtype: fp8
kv_dtype: fp8
flags: {max-num-seqs: 256}
roofline:
  model: llama-70b
  memory_ratio: 0.94
"""
WINDOW_NS = (0, 20_000_000_000)


def rows(n: int = 20, **changes: object) -> list[Row]:
    found = [row(j) for j in range(n)]
    told = {"tokens_in": 1000, "tokens_out": 1000, "tpot_us": 33_000} | changes
    return [msgspec.structs.replace(one, record=msgspec.structs.replace(one.record, **told)) for one in found]


def known(tmp_path: Path, text: str = FILE) -> Engine:
    path = tmp_path / "engine.yaml"
    path.write_text(text)
    return engine(path)


def test_a_70b_on_one_card_is_told_with_its_wall(tmp_path: Path) -> None:
    found = told(known(tmp_path), rows(), WINDOW_NS, users=None, is_fit=True)

    assert ("kv_capacity", 18, 18, ("mbu",)) == (*(found["wall"], found["batch"], found["kv_batch"], found["fitted"]),)
    assert 0 < found["percent"]
    text = markdown(tables(found)[0])
    assert "kv_capacity" in text
    assert "mfu 0.5 assumed" in text
    assert "longer" not in text


def test_an_unfit_client_is_the_wall(tmp_path: Path) -> None:
    assert "client" == told(known(tmp_path), rows(), WINDOW_NS, users=4, is_fit=False)["wall"]


def test_what_is_missing_is_said_and_nothing_is_made_up(tmp_path: Path) -> None:
    partly = msgspec.structs.replace(known(tmp_path), kv_dtype=None)
    found = told(partly, rows(), WINDOW_NS, users=None, is_fit=True)

    assert "kv_dtype None" in found["missing"]
    assert "not known" in markdown(tables(found)[0])
    assert ({}, None, []) == (told(Engine(), rows(), WINDOW_NS, users=None, is_fit=True), served(Engine()), tables({}))


def test_without_answers_or_with_unknown_tokens_there_is_nothing_to_say(tmp_path: Path) -> None:
    given = known(tmp_path)
    failed = [row(0, outcome=Outcome.SERVER_ERROR)]

    assert {} == told(given, failed, WINDOW_NS, users=None, is_fit=True)
    assert {} == told(given, rows(tokens_out=None), WINDOW_NS, users=None, is_fit=True)
    assert "n/a" in markdown(tables(told(given, rows(), (0, 0), users=None, is_fit=True))[0])
