import pytest

from inferometer.errors import ConfigurationError
from inferometer.yaml_entries import SHOWN_CHARS_MAX, Entry, listed


def entry(text: str) -> Entry:
    [one] = listed(text, "f.yaml")
    return one


def refusal(text: str, key: str) -> str:
    """Return what is said when a key of an entry is read as each kind."""
    one = entry(text)
    readers = {
        "text": lambda: one.text("text"),
        "number": lambda: one.number("number", 1, 2.5),
        "whole": lambda: one.whole("whole", 1, 2),
        "flag": lambda: one.flag("flag", default=True),
        "choice": lambda: one.choice("choice", ("a", "b")),
        "texts": lambda: one.texts("texts"),
        "mapping": lambda: one.mapping("mapping"),
        "section": lambda: one.section("section"),
        "entries": lambda: one.entries("entries"),
    }
    with pytest.raises(ConfigurationError) as caught:
        readers[key]()
    return str(caught.value)


def test_every_kind_of_value_is_read() -> None:
    one = entry(
        "- text: a\n  number: 2\n  whole: 3\n  flag: false\n  choice: b\n  texts: [x, y]\n  one: z\n"
        "  mapping: {a: [1, {b: null}]}\n  section: {inner: 1}\n  entries: [{k: 1}, {k: 2}]\n"
    )

    assert ("a", 2.0, 3, False, "b") == (
        one.text("text"),
        one.number("number", 0, 9),
        one.whole("whole", 0, 9),
        one.flag("flag", default=True),
        one.choice("choice", ("a", "b")),
    )
    assert (["x", "y"], ["z"], {"a": [1, {"b": None}]}) == (
        one.texts("texts"),
        one.texts("one"),
        one.mapping("mapping"),
    )
    section = one.section("section")
    assert section is not None
    assert 1 == section.whole("inner", 0, 9)
    section.done()
    assert [1, 2] == [below.whole("k", 0, 9) for below in one.entries("entries")]
    one.done()


def test_what_is_missing_has_its_default() -> None:
    one = entry("- {}\n")

    assert ("d", 1.5, 2, True, "b", [], {}, None, 7) == (
        one.text("text", "d"),
        one.number("number", 0, 9, 1.5),
        one.whole("whole", 0, 9, 2),
        one.flag("flag", default=True),
        one.choice("choice", ("a", "b"), "b"),
        one.texts("texts"),
        one.mapping("mapping", {}),
        one.section("section"),
        one.parsed("parsed", str, 7),
    )


@pytest.mark.parametrize(
    ("text", "key", "expected"),
    [
        ("-\n  text: 1\n", "text", "f.yaml:2: probe 1.text: found 1; allowed: a text"),
        ("- text: ''\n", "text", "f.yaml:1: probe 1.text: found ''; allowed: a text"),
        ("- {}\n", "text", "f.yaml:1: probe 1.text: is missing; allowed: a text"),
        ("- number: 3\n", "number", "f.yaml:1: probe 1.number: found 3; allowed: a number from 1 to 2.5"),
        ("- number: .nan\n", "number", "f.yaml:1: probe 1.number: found nan; allowed: a number from 1 to 2.5"),
        ("- number: yes\n", "number", "f.yaml:1: probe 1.number: found True; allowed: a number from 1 to 2.5"),
        ("- whole: 1.5\n", "whole", "f.yaml:1: probe 1.whole: found 1.5; allowed: a whole number from 1 to 2"),
        ("- flag: 1\n", "flag", "f.yaml:1: probe 1.flag: found 1; allowed: true or false"),
        ("- choice: c\n", "choice", "f.yaml:1: probe 1.choice: found 'c'; allowed: a, b"),
        ("- texts: [a, 1]\n", "texts", "f.yaml:1: probe 1.texts: found ['a', 1]; allowed: a text or a list of texts"),
        ("- mapping: 1\n", "mapping", "f.yaml:1: probe 1.mapping: found 1; allowed: a mapping"),
        ("- mapping: {1: 2}\n", "mapping", "f.yaml:1: probe 1.mapping: found {1: 2}; allowed: a mapping"),
        ("- section: 1\n", "section", "f.yaml:1: probe 1.section: found 1; allowed: a mapping"),
        ("- entries: 1\n", "entries", "f.yaml:1: probe 1.entries: found no list; allowed: a list of mappings"),
        ("- entries:\n  - 1\n", "entries", "f.yaml:2: probe 1.entries: found no mapping; allowed: keys and values"),
        ("- {}\n", "entries", "f.yaml:1: probe 1.entries: is missing; allowed: a list of mappings"),
        ("- text: !!python/name:os.system\n", "text", "f.yaml:1: probe 1.text: is no plain YAML value"),
    ],
)
def test_a_wrong_value_is_told_in_one_line(text: str, key: str, expected: str) -> None:
    assert expected == refusal(text, key)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "f.yaml:1: found nothing; allowed: a list of probes"),
        ("a: 1\n", "f.yaml:1: probes: found no list; allowed: a list of mappings"),
        ("[]\n", "f.yaml:1: probes: found no list; allowed: a list of mappings"),
        ("- a\n", "f.yaml:1: probes: found no mapping; allowed: keys and values"),
        ("- a: 1\n  a: 2\n", "f.yaml:2: probe 1.a: stands twice"),
        ("- a: [\n", "f.yaml:2: not valid YAML: expected the node content, but found '<stream end>'"),
    ],
)
def test_a_text_that_is_no_list_is_refused(text: str, expected: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        listed(text, "f.yaml")

    assert expected == str(caught.value)


def test_a_key_that_nobody_asked_for_is_unknown() -> None:
    one = entry("- a: 1\n  bb: 2\n")
    one.whole("a", 0, 9)
    one.has("b")

    with pytest.raises(ConfigurationError, match=r"f\.yaml:2: probe 1\.bb: unknown key; allowed: a, b"):
        one.done()


def test_entries_inherit_what_they_do_not_say() -> None:
    one = entry("- url: outer\n  public: true\n  stages:\n  - {}\n  - url: inner\n")
    first, second = one.entries("stages")

    assert ("outer", "inner") == (first.text("url", inherits=True), second.text("url", inherits=True))
    assert first.flag("public", default=False, inherits=True)
    with pytest.raises(ConfigurationError):
        first.text("url")


def test_what_a_function_refuses_is_told_with_its_place() -> None:
    def never(value: object) -> int:
        raise ValueError(f"is {value}")

    one = entry("- a: 1\n")
    one.label = "x"

    with pytest.raises(ConfigurationError, match=r"f\.yaml:1: x\.a: is 1"):
        one.parsed("a", never, 0)


@pytest.mark.parametrize("length", [SHOWN_CHARS_MAX - 2, SHOWN_CHARS_MAX - 1])
def test_a_long_value_is_shown_in_part(length: int) -> None:
    said = refusal(f"- number: {'x' * length}\n", "number")

    assert (length > SHOWN_CHARS_MAX - 2) == ("...;" in said)
