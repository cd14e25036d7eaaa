import json
from pathlib import Path

from inferometer.load_guard_lines import ENGINE, GPU, Lines


def test_a_line_tells_when_it_was_seen_after_the_start_of_the_plan(tmp_path: Path) -> None:
    lines = Lines(tmp_path / ENGINE, 3_000_000_000)
    lines.add(2_500_000_000, {"running": 0})
    lines.add(4_000_400_000, {"running": 2, "queued": None})
    lines.close()

    told = [json.loads(line) for line in (tmp_path / "engine.jsonl").read_text().splitlines()]
    assert [{"at_s": -0.5, "running": 0}, {"at_s": 1.0, "running": 2, "queued": None}] == told


def test_a_file_is_made_with_its_first_line(tmp_path: Path) -> None:
    Lines(tmp_path / GPU, 0).close()

    assert [] == list(tmp_path.iterdir())


def test_lines_that_cannot_be_written_are_counted(tmp_path: Path) -> None:
    lines = Lines(tmp_path / "none" / GPU, 0)
    lines.add(0, {})
    lines.add(1, {})

    assert 2 == lines.lost
