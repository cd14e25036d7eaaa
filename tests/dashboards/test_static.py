"""The files of the pages: what is vendored is what was published; ours are few, safe, and can be seen by everybody."""

import gzip
import hashlib
import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

STATIC = Path(__file__).parents[2] / "dashboards" / "static"
APP = STATIC / "app"
LINES_MAX, GZIP_BYTES_MAX, FILE_LINES_MAX = 4_000, 60 << 10, 250
UNSAFE = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|dangerouslySetInnerHTML|document\.write|createContextualFragment"
    r"|\beval\(|new Function"
    r"|srcdoc|setAttribute\(\s*[\"']on|https?://(?!127\.0\.0\.1)"
)
GROUPS = ("good", "excluded", "throttled", "unreachable", "slow", "broken", "fault", "gave-up")
LINES = ("a", "b", "c", "d", "e", "f", "muted")
WORDS = ("text", "soft", "link", "bad", "warn", "ok", "accent")


def own_files() -> list[Path]:
    return sorted(path for path in APP.iterdir() if path.suffix in {".js", ".css"})


def vendored() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((STATIC / "VENDOR.json").read_text())
    return found


def changed(root: Path) -> list[str]:
    """Return the vendored files that are not what VENDOR.json says."""
    return [
        one["file"]
        for one in vendored()
        if hashlib.sha256((root / one["file"]).read_bytes()).hexdigest() != one["sha256"]
    ]


def test_what_is_vendored_is_what_was_published() -> None:
    there = {str(path.relative_to(STATIC)) for path in (STATIC / "vendor").rglob("*") if path.is_file()}

    assert {one["file"] for one in vendored()} == there
    assert changed(STATIC) == []
    for one in vendored():
        assert {"name", "version", "licence", "sha256", "upstream", "file"} == one.keys()
        assert f"-{one['version']}/" in one["file"]
    for folder in (STATIC / "vendor").iterdir():
        assert (folder / "LICENSE").is_file()


def test_one_flipped_byte_is_noticed(tmp_path: Path) -> None:
    for one in vendored():
        copy = tmp_path / one["file"]
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes((STATIC / one["file"]).read_bytes())
    victim = tmp_path / vendored()[0]["file"]
    body = bytearray(victim.read_bytes())
    body[100] ^= 1
    victim.write_bytes(body)

    assert changed(tmp_path) == [vendored()[0]["file"]]


def test_the_icon_needs_no_path_and_is_ours() -> None:
    (told,) = re.findall(r'<link rel="icon" href="data:image/svg\+xml,([^"]+)"', (STATIC / "index.html").read_text())

    assert unquote(told).replace("'", '"') == (APP / "icon.svg").read_text().strip()


def test_our_own_files_are_small() -> None:
    lines = {path.name: len(path.read_text().splitlines()) for path in own_files()}
    packed = len(gzip.compress(b"".join(path.read_bytes() for path in own_files()), 9))

    print(f"{sum(lines.values())} lines, {packed} bytes of gzip")
    assert {name: n for name, n in lines.items() if n > FILE_LINES_MAX} == {}
    assert sum(lines.values()) <= LINES_MAX
    assert packed <= GZIP_BYTES_MAX


@pytest.mark.parametrize("path", own_files(), ids=lambda path: path.name)
def test_a_file_makes_no_markup_of_text(path: Path) -> None:
    assert UNSAFE.findall(path.read_text()) == []
    assert path.suffix == ".css" or path.read_text().startswith("// @ts-check\n")


def test_the_page_holds_one_inline_script_and_no_inline_style() -> None:
    page = (STATIC / "index.html").read_text()

    assert re.findall(r"<script([^>]*)>[^<]", page) == [' type="importmap"']
    assert re.findall(r"<style|style=|\son\w+=", page) == []
    assert re.findall(r'(?:src|href)="(?:/|(?!data:)\w+:)', page) == [], "addresses are relative"


def test_every_import_is_there() -> None:
    page = (STATIC / "index.html").read_text()
    (text,) = re.findall(r'<script type="importmap">(.*?)</script>', page, re.DOTALL)
    named: dict[str, str] = json.loads(text)["imports"]
    missing = [name for name, where in named.items() if not (STATIC / where).is_file()]
    for path in APP.glob("*.js"):
        asked = re.findall(r"""^(?:import|export)[^"']*?from ["']([^"']+)["']""", path.read_text(), re.MULTILINE)
        missing += [f"{path.name}: {one}" for one in asked if one not in named and not (APP / one).is_file()]

    assert missing == []


def luminance(colour: str) -> float:
    """Return the relative luminance of a colour. Source: WCAG 2.2."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours, 1 to 21."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def themes() -> dict[str, dict[str, str]]:
    """Return the colours of each theme."""
    css = (APP / "theme.css").read_text()
    blocks = {
        "light": re.search(r"^:root \{(.*?)\n\}", css, re.DOTALL | re.MULTILINE),
        "dark": re.search(r'^:root\[data-theme="dark"\] \{(.*?)\n\}', css, re.DOTALL | re.MULTILINE),
    }
    return {name: dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", found[1])) for name, found in blocks.items() if found}


def test_there_is_one_way_into_the_dark() -> None:
    """Before anything is painted a script says which theme it is, so that no rule stands twice."""
    assert {"light", "dark"} == themes().keys()
    assert themes()["light"].keys() == themes()["dark"].keys()
    assert "prefers-color-scheme" not in (APP / "theme.css").read_text()
    assert "prefers-color-scheme" in (APP / "early.js").read_text()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_words_and_marks_can_be_seen(theme: str) -> None:
    """4.5:1 for words, 3:1 for marks, on every ground that they stand on (WCAG 2.2, 1.4.3 and 1.4.11)."""
    of = themes()[theme]
    words = {
        f"{word} on {ground}": contrast(of[word], of[ground])
        for word in WORDS
        for ground in ("card", "ground", "shade")
        if not (word == "accent" and ground == "shade")
    }
    words |= {f"{word} on its ground": contrast(of[word], of[f"{word}-ground"]) for word in ("bad", "warn", "ok")}
    words |= {f"card on {word}": contrast(of["ground"], of[word]) for word in ("text", "accent", "bad")}
    marks = {mark: contrast(of[mark], of["card"]) for mark in (*GROUPS, *LINES)}

    assert {name: round(value, 2) for name, value in words.items() if value < 4.5} == {}
    assert {name: round(value, 2) for name, value in marks.items() if value < 3} == {}


def test_no_group_is_told_by_its_colour_alone() -> None:
    css, drawn = (APP / "parts.css").read_text(), (APP / "pattern.js").read_text()
    textures = dict(re.findall(r"\.g-(\w+) \{ --tone: [^;]+; background: ([^}]+)\}", css))
    textures = {name: re.sub(r"var\(--[\w-]+\)", "", text) for name, text in textures.items()}

    assert set(textures) == {
        "good",
        "excluded",
        "throttled",
        "unreachable",
        "slow",
        "broken",
        "fault",
        "gave_up",
        "unobserved",
    }
    plain = {name for name, text in textures.items() if "gradient" not in text}
    assert plain == {"good", "fault"}, "these two are told apart by lightness and label"
    assert len(set(textures.values()) - {textures["good"], textures["fault"]}) == len(textures) - len(plain)
    for name in set(textures) - plain:
        assert re.search(rf"^\s+{name}: \(p\)", drawn, re.MULTILINE), name
