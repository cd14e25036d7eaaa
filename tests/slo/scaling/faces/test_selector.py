"""Label selectors, by the cases of apimachinery's own tests (pkg/labels/selector_test.go) and by what is refused."""

import pytest

from slo.scaling.faces.selector import REQUIREMENTS_MAX, SELECTOR_CHARS_MAX, SelectorError, holds, parsed

LABELS = {"target": "chat", "variant": "h100-tp4", "x": "5"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", True),
        ("target=chat", True),
        ("target==chat", True),
        ("target = chat", True),
        ("target=other", False),
        ("target!=other", True),
        ("gone!=other", True),
        ("target in (chat,other)", True),
        ("target in ( other )", False),
        ("target notin (chat)", False),
        ("gone notin (chat)", True),
        ("gone in ()", False),
        ("target", True),
        ("gone", False),
        ("!gone", True),
        ("!target", False),
        ("x>4", True),
        ("x<5", False),
        ("target>4", False),
        ("gone<4", False),
        ("target=chat,variant in (h100-tp4,h200),!gone", True),
        ("target=chat,variant=", False),
    ],
)
def test_a_selector_and_whether_it_finds_the_target(text: str, expected: bool) -> None:
    assert expected is holds(parsed(text), LABELS)


@pytest.mark.parametrize(
    "text", ["=chat", "target=chat,", "a in b", "a in (b", "x>y", "a b", "a=b=c", "a=/", "!", "é=1"]
)
def test_what_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(SelectorError, match="found"):
        parsed(text)


def test_a_selector_has_an_end() -> None:
    most = ",".join(["a"] * REQUIREMENTS_MAX)
    longest = "a" * SELECTOR_CHARS_MAX

    assert (REQUIREMENTS_MAX, 1) == (len(parsed(most)), len(parsed(longest)))
    with pytest.raises(SelectorError, match="requirements, allowed are"):
        parsed(f"{most},a")
    with pytest.raises(SelectorError, match="characters, allowed are"):
        parsed(f"{longest}a")
