import json
import re
import tomllib
from importlib.resources import files
from itertools import product
from pathlib import Path
from random import Random
from typing import Any

import pytest
from load_rows import row
from load_runs import kept_run, plan, rows
from report_rig import LIMITS

from inferometer import load_gate, load_html
from inferometer.errors import InferometerError
from inferometer.load_html import PAGE, PROFILE, ROWS_MAX, SCRIPTS, STEPS, STYLE
from inferometer.load_kept import kept
from loadtest.plan_spec import Objectives
from loadtest.report_look import GROUPS
from loadtest.report_shapes import Tone

STATIC = files("loadtest").joinpath("static")
PAGE_BYTES_MAX = 1_000_000  # issue: below 1 MB at 100 000 rows


def data(path: Path) -> dict[str, Any]:
    (found,) = re.findall('<script type="application/json" id="data">(.*?)</script>', path.read_text(), re.DOTALL)
    told: dict[str, Any] = json.loads(found)
    return told


def test_a_run_has_its_page_beside_its_files(tmp_path: Path) -> None:
    found = rows(1)
    directory = kept_run(tmp_path, "r1", found, spec=plan(objectives=Objectives(ttft_s=1.0)))
    report = json.loads((directory / "report.json").read_text())

    path = load_html.write_run(directory, report, found, LIMITS)

    assert directory / PAGE == path
    assert "Load test r1" == data(path)["title"]


@pytest.mark.system  # seconds
def test_a_hundred_thousand_requests_make_a_page_that_can_be_sent(tmp_path: Path) -> None:
    random = Random(3)  # noqa: S311 -- seeded
    spread = [round(400_000 * random.lognormvariate(0, 0.5)) for _ in range(1000)]
    found = [row(j, at_s=j * 0.006, ttft_us=spread[j % 1000] + j) for j in range(100_000)]
    report = json.loads((kept_run(tmp_path, "r1", found[:10]) / "report.json").read_text())

    path = load_html.write_run(tmp_path, report | {"outcomes": {"ok": 100_000}}, found, LIMITS)

    assert path.stat().st_size < PAGE_BYTES_MAX
    notes = [note for section in data(path)["sections"] for panel in section["panels"] for note in panel["notes"]]
    assert any("of 100,000 requests are drawn: the fastest and the slowest" in note for note in notes)


def test_a_page_of_a_longer_run_is_drawn_from_some_of_its_attempts(tmp_path: Path) -> None:
    found = [row(j) for j in range(90)]
    report = json.loads((kept_run(tmp_path, "r1", found) / "report.json").read_text())
    receipt = report["receipt"] | {"rows": 2 * ROWS_MAX + 1}  # as if there were more

    path = load_html.write_run(tmp_path, report | {"receipt": receipt}, found, LIMITS)

    assert "Drawn from 30 of 100,001 attempts, those of every so many-th arrival" in " ".join(data(path)["notes"])


def test_a_full_disk_is_said(tmp_path: Path) -> None:
    directory = kept_run(tmp_path, "r1", rows(1))
    (directory / PAGE).mkdir()

    with pytest.raises(InferometerError, match="Is a directory"):
        load_html.write_run(directory, json.loads((directory / "report.json").read_text()), rows(1), LIMITS)


def swept(directory: Path, name: str = "s") -> Path:
    sweep = directory / name
    sweep.mkdir()
    head = (
        "rate_rps,attainment,lo,hi,ttft_p95_s,tpot_p95_s,in_flight,kv_used_p95,gpu_util_ratio,tokens_out_per_s,verdict"
    )
    (sweep / STEPS).write_text(
        f"{head}\n8.0,0.5,0.4,0.6,,,9.5,,,900,reject\n4.0,1.0,0.99,1.0,0.2,0.02,3.5,,,500,accept\n"
    )
    return sweep


def test_a_sweep_has_a_page_from_its_files_and_the_runs_beside_it(tmp_path: Path) -> None:
    sweep = swept(tmp_path)
    kept_run(tmp_path, "s-0", rows(1))
    (tmp_path / "s-1").mkdir()
    (tmp_path / "s-1" / "report.json").write_text("no report")

    found = data(load_html.write_sweep(sweep))

    panels = {panel["id"]: panel for section in found["sections"] for panel in section["panels"]}
    assert [[4.0, 1.0], [8.0, 0.5]] == panels["attainment"]["chart"]["series"][0]["points"]
    assert ["s-0"] == [cells[0] for cells in panels["runs"]["table"]["rows"]]
    assert ["none"] == [sign["word"] for sign in found["signs"] if sign["name"] == "mu_star"]


def test_a_profile_makes_the_number_to_act_on(tmp_path: Path) -> None:
    sweep = swept(tmp_path)
    told: dict[str, Any] = {"accepted_rps": 4.0, "rejected_rps": 8.0, "knee_rps": 4.0, "tokens_out_per_s": 500.0}
    (sweep / PROFILE).write_text(json.dumps(told | {"slo": {"ttft_s": 1.0, "tpot_s": None, "target": 0.99}}))

    assert "4.00 requests/s" == data(load_html.write_sweep(sweep))["signs"][0]["word"]


@pytest.mark.parametrize(("name", "text"), [(STEPS, "rate_rps\nx\n"), (PROFILE, "{")])
def test_files_of_a_sweep_that_are_none_are_named(tmp_path: Path, name: str, text: str) -> None:
    sweep = swept(tmp_path)
    (sweep / name).write_text(text)

    with pytest.raises(InferometerError, match="not a sweep of this version"):
        load_html.write_sweep(sweep)


def test_a_directory_without_steps_is_no_sweep(tmp_path: Path) -> None:
    assert not load_html.is_sweep(tmp_path)
    with pytest.raises(InferometerError, match=r"steps\.csv: No such file"):
        load_html.write_sweep(tmp_path)
    assert load_html.is_sweep(swept(tmp_path))


def test_a_gate_has_its_page_beside_the_candidate_and_a_verdict_without_one(tmp_path: Path) -> None:
    before, after = (kept(kept_run(tmp_path, name, rows(at))) for at, name in enumerate(("a", "b")))
    found = load_gate.document(load_gate.answer([before], [after], 7))

    assert f"page: {tmp_path / 'b' / 'gate.html'}" == load_html.write_gate([before], [after], found)
    page = data(tmp_path / "b" / "gate.html")
    assert found["verdict"] == page["signs"][0]["word"]
    (tmp_path / "b" / "gate.html").unlink()
    (tmp_path / "b" / "gate.html").mkdir()
    assert load_html.write_gate([before], [after], found).startswith("no page: ")


def parsed(scheme: str) -> dict[str, str]:
    """Return the colours of a scheme, of which dark replaces what it names."""
    light, dark = re.findall(r":root \{(.*?)\}", STATIC.joinpath(STYLE).read_text(), re.DOTALL)
    found = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", light))
    return found | (dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", dark)) if scheme == "dark" else {})


def contrast(one: str, other: str) -> float:
    """Return the ratio of WCAG 2.2, 1.4.3."""
    high, low = sorted(map(_luminance, (one, other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_and_marks_stand_out_from_the_ground(scheme: str) -> None:
    colours = parsed(scheme)

    texts = {
        name: contrast(colours[name], colours[ground])
        for name in ("text", "soft")
        for ground in ("ground", "card", "shade")
    }
    marks = {tone: contrast(colours[tone], colours[ground]) for tone, ground in product(Tone, ("ground", "card"))}
    assert min(texts.values()) >= 4.5, texts
    assert min(marks.values()) >= 3.0, {tone: ratio for tone, ratio in marks.items() if ratio < 3}
    assert min(contrast(colours[tone], colours["card"]) for tone in (Tone.GOOD, Tone.BAD, Tone.MUTED)) >= 4.5  # words


def test_every_tone_has_a_class_and_every_group_but_the_plain_ones_a_texture() -> None:
    style, script = STATIC.joinpath(STYLE).read_text(), "".join(STATIC.joinpath(name).read_text() for name in SCRIPTS)

    assert [] == [tone for tone in Tone if f".t-{tone} {{" not in style]
    plain = {Tone.GOOD, Tone.EXCLUDED, Tone.FAULT}
    assert [] == [tone for tone in GROUPS if tone not in plain and f'"{tone}"' not in script]


def test_no_part_of_the_page_parses_markup_or_asks_for_anything() -> None:
    script = "".join(STATIC.joinpath(name).read_text() for name in SCRIPTS)

    for word in (
        "innerHTML",
        "outerHTML",
        "insertAdjacent",
        "document.write",
        "fetch(",
        "XMLHttp",
        "import(",
        "eval(",
        "</",
    ):
        assert word not in script
    assert "url(" not in STATIC.joinpath(STYLE).read_text()
    assert max(len(STATIC.joinpath(name).read_text().splitlines()) for name in SCRIPTS) <= 250  # style.md 9


def test_script_and_style_are_part_of_the_wheel() -> None:
    pyproject = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
    wheel = pyproject["tool"]["hatch"]["build"]["targets"]["wheel"]

    assert "loadtest" in wheel["packages"]
    assert not any("static" in pattern for pattern in wheel["exclude"])
    assert {*SCRIPTS, STYLE} == {path.name for path in STATIC.iterdir()}
