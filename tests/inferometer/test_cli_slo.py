"""The verbs below `slo`: data on stdout, one line on stderr for every mistake, with file and line."""

import json
from pathlib import Path

import pytest
from slo_samples import CHAT, QUICK, SLOTH

from inferometer.__main__ import outcome


@pytest.fixture(autouse=True)
def _files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name, text in (("a.yaml", CHAT), ("b.yaml", QUICK), ("sloth.yml", SLOTH)):
        Path(name).write_text(text)


def said(words: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    code = outcome(["slo", *words])
    out, err = capsys.readouterr()
    return code, out, err


@pytest.mark.parametrize("verb", ["validate", "check"])
def test_valid_files_tell_what_each_rule_sees(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = said([verb, "a.yaml", "b.yaml", "--output", "json"], capsys)
    first = json.loads(out.splitlines()[0])

    assert (0, 4) == (code, out.count("\n"))
    assert ("chat-good", "page", 14.4, 3_600, 300, "reachable", 518.4, 1036.8, None) == tuple(
        first[name]
        for name in (
            "slo",
            "severity",
            "burn",
            "long_s",
            "short_s",
            "state",
            "detect_1_s",
            "detect_0_5_s",
            "detect_0_1_s",
        )
    )
    assert "objectives: 1 valid, 0 not evaluated here\n" == err


def test_a_table_and_a_list_are_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = said(["validate", "a.yaml", "b.yaml"], capsys)

    assert 0 == code
    assert "reach_ratio" in out
    assert "detect_0_1_s" not in out
    code, out, _ = said(["list", ".", "--output", "csv"], capsys)
    assert 2 == code  # the folder holds a file of Sloth
    Path("sloth.yml").unlink()
    code, out, _ = said(["list", ".", "--output", "csv"], capsys)
    assert (0, "chat-good,chat,0.99,rolling 30 d,Occurrences,ttft_s <= 1,endpoint == 'chat',,") == (
        code,
        out.splitlines()[1].rsplit(",", 1)[0] + ",",
    )


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("target: 0.99", "target: 0.93", "a.yaml:8: chat-good: found a burn rate of 14.4, which needs 1.01 of all"),
        ("target: 0.99", "target: 99", "a.yaml:8: spec.objectives[0].target: found 99, allowed a number of at least 0"),
        (
            "indicatorRef: quick",
            "indicatorRef: slow",
            "a.yaml:9: spec.indicatorRef: found 'slow', allowed the name of an",
        ),
        ("openslo/v1", "openslo/v2alpha", "a.yaml:1: apiVersion: found 'openslo/v2alpha', allowed openslo/v1"),
    ],
)
def test_a_mistake_is_one_line_with_its_place(
    old: str, new: str, expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("a.yaml").write_text(CHAT.replace(old, new))
    code, out, err = said(["validate", "a.yaml", "b.yaml"], capsys)

    assert (2, "", 1) == (code, out, err.count("\n"))
    assert err.startswith(f"inferometer: {expected}")


def test_what_is_odd_is_worth_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    Path("a.yaml").write_text(CHAT.replace("target: 0.99", "target: 0.935"))
    code, _, err = said(["validate", "a.yaml", "b.yaml"], capsys)

    assert 0 == code
    assert err.startswith("inferometer: warning: a.yaml:8: chat-good: a burn rate of 14.4")


def test_sloth_comes_in_and_rules_go_out(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = said(["import", "sloth.yml", "--from", "sloth", "--endpoint", "chat"], capsys)
    Path("made.yaml").write_text(out)

    assert 0 == code
    assert "inferometer: warning: inferometer weighs each request alike" in err
    code, out, _ = said(["export", "made.yaml", "--format", "prometheus"], capsys)
    assert 0 == code
    assert "and ignoring(window)" in out


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["import", "sloth.yml", "--from", "nobl9"], "--from: found 'nobl9'; allowed: sloth, pyrra"),
        (["export", "a.yaml", "--format", "x"], "--format: found 'x'; allowed: prometheus, sloth, pyrra, openslo"),
        (["import", "sloth.yml"], "Missing option '--from'."),
        (["validate"], "Missing argument 'FILE|DIR..'."),
        (["validate", "none.yaml"], "none.yaml: found no file; allowed: a file, or a folder with .yaml files"),
    ],
)
def test_a_wrong_word_is_told(words: list[str], line: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = said(words, capsys)

    assert (2, "", f"inferometer: {line}\n") == (code, out, err)


def test_the_api_describes_itself(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = said(["openapi"], capsys)

    assert (0, "") == (code, err)
    assert "/v1/gate" in json.loads(out)["paths"]
