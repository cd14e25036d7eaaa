"""Documents read key by key: what is wrong is told with place, key, what was found and what is allowed."""

from enum import StrEnum

import pytest
from slo_texts import section, told

from slo.documents import SHOWN_CHARACTERS_MAX, Findings, shown
from slo.errors import ObjectiveError


class Fruit(StrEnum):
    APPLE = "Apple"
    PEAR = "Pear"


def test_values_are_taken_as_what_they_are() -> None:
    found = section("a: text\nb: 1.5\nc: true\nd: apple\ne: [Pear]\nf: {x: 1}\ng: [{y: 2}, {y: 3}]\nh:\n")

    assert ("text", 1.5, True, Fruit.APPLE) == (
        found.text("a"),
        found.number("b", "a number"),
        found.flag("c", default=False),
        found.choice("d", Fruit),
    )
    assert ((Fruit.PEAR,), 1.0) == (found.members("e", tuple(Fruit)), (found.section("f") or found).number("x", ""))
    assert [2.0, 3.0] == [one.number("y", "") for one in found.sections("g")]
    assert ("", None, Fruit.PEAR, []) == (
        found.text("h"),
        found.raw("i"),
        found.choice("i", Fruit, default=Fruit.PEAR),
        found.listed("i"),
    )
    found.end()
    assert [] == told(found)


def test_each_mistake_names_place_key_found_and_allowed() -> None:
    found = section("a: 1\nb: yes\nc: text\nd: plum\ne: [plum]\nf: 3\ng: apple\nz: [1]\ny: {}\n")
    found.text("a")
    found.number("b", "a number")
    found.flag("c", default=False)
    found.choice("d", Fruit)
    found.members("e", tuple(Fruit))
    found.section("f")
    list(found.sections("g", required=True))
    found.text("h", required=True, allowed="a name")
    list(found.sections("i", required=True))
    found.text("c", most=3)
    found.number("j", "a number", required=True)
    found.end()

    assert [
        "f0.yaml:1: a: found 1, allowed a text",
        "f0.yaml:2: b: found True, allowed a number",
        "f0.yaml:3: c: found 'text', allowed true or false",
        "f0.yaml:4: d: found 'plum', allowed Apple, Pear",
        "f0.yaml:5: e[0]: found 'plum', allowed Apple, Pear",
        "f0.yaml:6: f: found 3, allowed a mapping",
        "f0.yaml:7: g: found 'apple', allowed a list",
        "f0.yaml:1: h: found nothing, allowed a name",
        "f0.yaml:1: i: found nothing, allowed a list",
        "f0.yaml:3: c: found 4 characters, allowed at most 3 characters",
        "f0.yaml:1: j: found nothing, allowed a number",
        "f0.yaml:8: z: found unknown key, allowed a, b, c, d, e, f, g, h, i, j",
        "f0.yaml:9: y: found unknown key, allowed a, b, c, d, e, f, g, h, i, j",
    ] == told(found)


def test_the_first_mistake_by_line_is_raised_with_the_number_of_others() -> None:
    findings = Findings()
    findings.check()
    for line, key in ((12, "b"), (3, "a"), (12, "b"), (100, "c")):
        findings.error(f"f:{line}", key, "x", "y")
    with pytest.raises(ObjectiveError, match=r"^f:3: a: found x, allowed y \(2 more wrong\)$"):
        findings.check()


def test_words_of_warning_are_kept_apart() -> None:
    found = section("a: 1")
    found.lint("a", "odd")

    assert (["f0.yaml:1: a: odd"], []) == (found.findings.lints, told(found))


def test_a_long_value_is_cut_where_it_is_shown() -> None:
    assert "'" + "x" * (SHOWN_CHARACTERS_MAX - 2) + "'" == shown("x" * (SHOWN_CHARACTERS_MAX - 2))
    assert "'" + "x" * (SHOWN_CHARACTERS_MAX - 1) + "..." == shown("x" * (SHOWN_CHARACTERS_MAX - 1))
    assert ("a mapping", "a list", "nothing") == (shown({}), shown([]), shown(None))
