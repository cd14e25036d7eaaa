"""OpenSLO objects by kind and name."""

import pytest
from slo_texts import documents

from slo.documents import Findings
from slo.openslo_index import LABELS_MAX, NAME_CHARACTERS_MAX, Index, Kind

TARGET = "apiVersion: openslo/v1\nkind: AlertNotificationTarget\nmetadata: {name: %s}\nspec: {target: slack}\n"


def test_a_document_may_be_a_list_of_objects() -> None:
    text = "".join(f"- {TARGET % name}".replace("\n", "\n  ").rstrip() + "\n" for name in ("a", "b"))
    index = Index(documents(text, TARGET % "c"), Findings())

    assert ["a", "b", "c"] == [name for name, _, _ in index.of(Kind.ALERT_NOTIFICATION_TARGET)]
    assert index.has(Kind.ALERT_NOTIFICATION_TARGET, "b")
    assert index.spec(Kind.SLO, "b") is None


def test_labels_are_texts_or_lists_of_texts() -> None:
    index = Index(documents((TARGET % "a").replace("{name: a}", "{name: a, labels: {x: y, z: [p, q]}}")), Findings())

    assert [{"x": ("y",), "z": ("p", "q")}] == [labels for _, _, labels in index.of(Kind.ALERT_NOTIFICATION_TARGET)]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("openslo/v1", "openslo/v2alpha", "f0.yaml:1: apiVersion: found 'openslo/v2alpha', allowed openslo/v1"),
        ("AlertNotificationTarget", "Alert", "f0.yaml:2: kind: found 'Alert', allowed DataSource, SLO, SLI, "),
        ("{name: a}", "{name: a_b}", "f0.yaml:3: metadata.name: found 'a_b', allowed letters a-z, digits"),
        ("{name: a}", "{name: a-}", "f0.yaml:3: metadata.name: found 'a-', allowed letters"),
        ("{name: a}", "{labels: {}}", "f0.yaml:3: metadata.name: found nothing, allowed letters"),
        ("{name: a}", "{name: a, labels: {x: 1}}", "f0.yaml:3: metadata.labels.x: found 1, allowed a text or texts"),
        ("{name: a}", "{name: a, x: 1}", "f0.yaml:3: metadata.x: found unknown key, allowed name, displayName, "),
        ("metadata: {name: a}\n", "", "f0.yaml:1: metadata: found nothing, allowed a mapping with name"),
        ("spec:", "specs:", "f0.yaml:4: specs: found unknown key, allowed apiVersion, kind, metadata, spec"),
    ],
)
def test_a_head_that_is_wrong(old: str, new: str, expected: str) -> None:
    findings = Findings()
    Index(documents((TARGET % "a").replace(old, new)), findings)

    assert str(findings.errors[0]).startswith(expected)


def test_names_and_labels_are_bounded_and_unique() -> None:
    findings = Findings()
    Index(documents(TARGET % ("a" * NAME_CHARACTERS_MAX), TARGET % ("a" * (NAME_CHARACTERS_MAX + 1))), findings)
    many = ", ".join(f"l{at}: x" for at in range(LABELS_MAX + 1))
    Index(documents((TARGET % "a").replace("{name: a}", f"{{name: a, labels: {{{many}}}}}")), findings)
    Index(documents(TARGET % "a", TARGET % "a"), findings)

    assert ["f1.yaml:3", "f0.yaml:3", "f1.yaml:3"] == [error.where for error in findings.errors]
    assert f"{LABELS_MAX + 1} labels" == findings.errors[1].found
    assert "AlertNotificationTarget 'a', which stands at f0.yaml:1 too" == findings.errors[2].found


def test_capitals_in_a_name_are_worth_a_word() -> None:
    findings = Findings()
    Index(documents(TARGET % "OnCall"), findings)

    assert ["f0.yaml:3: metadata.name: 'OnCall' has capitals, which RFC 1123 does not have"] == findings.lints
