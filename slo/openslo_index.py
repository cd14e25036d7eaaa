"""Knows OpenSLO's objects by kind and name, over all files at once; refuses to know what they say.

Files are read first and understood afterwards, so a reference may point forward, and into another file.

Source: OpenSLO v1 README, General Schema; spec/slo.md 1.
"""

import re
from collections.abc import Mapping, Sequence
from enum import StrEnum

from slo.documents import Findings, Section, Written, shown

API_VERSION = "openslo/v1"
NAME_CHARACTERS_MAX = 63
"""Longest name [RFC 1123]."""
LABELS_MAX = 64
"""Labels of one object."""
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?")
_NAME_ALLOWED = f"letters a-z, digits and - within, at most {NAME_CHARACTERS_MAX} characters"


class Kind(StrEnum):
    """Kinds of objects."""

    DATA_SOURCE = "DataSource"
    SLO = "SLO"
    SLI = "SLI"
    ALERT_POLICY = "AlertPolicy"
    ALERT_CONDITION = "AlertCondition"
    ALERT_NOTIFICATION_TARGET = "AlertNotificationTarget"
    SERVICE = "Service"


class Index:
    """All objects of a set of files.

    Attributes:
        findings: What is wrong with them.
    """

    def __init__(self, documents: Sequence[Written], findings: Findings) -> None:
        """Look at the head of every object; a document may be a list of objects.

        Args:
            documents: As written, in the order of files.
            findings: Where mistakes are kept.
        """
        self.findings = findings
        self._objects: dict[tuple[Kind, str], tuple[Section, Mapping[str, tuple[str, ...]]]] = {}
        self._specs: dict[tuple[Kind, str], Written] = {}
        for document in documents:
            for one in document.value if isinstance(document.value, list) else [document]:
                self._add(one)

    def of(self, kind: Kind) -> list[tuple[str, Section, Mapping[str, tuple[str, ...]]]]:
        """Return the objects of a kind: name, `spec`, labels."""
        return [
            (name, Section(self._specs[found, name], "spec", self.findings), labels)
            for (found, name), (_, labels) in self._objects.items()
            if found is kind
        ]

    def has(self, kind: Kind, name: str) -> bool:
        """Return whether there is such an object."""
        return (kind, name) in self._objects

    def spec(self, kind: Kind, name: str) -> Section | None:
        """Return the `spec` of an object, to look at; None if there is none."""
        return Section(self._specs[kind, name], "spec", self.findings) if self.has(kind, name) else None

    def named(self, kind: Kind, name: str, where: str, key: str) -> tuple[str, Section] | None:
        """Return name and `spec` of an object that is referred to; None if there is none, which is a mistake."""
        spec = self.spec(kind, name)
        if spec is None:
            known = ", ".join(sorted(one for found, one in self._objects if found is kind)) or "none is defined"
            self.findings.error(where, key, shown(name), f"the name of an object of kind {kind.value}: {known}")
            return None
        return name, spec

    def inline_or_named(self, section: Section, kind: Kind, ref: str) -> tuple[str, Section] | None:
        """Return name and `spec` of an object that stands here, or that is referred to."""
        if ref in section:
            name = section.text(ref)
            section.end()
            return self.named(kind, name, section.place(ref), section.path(ref))
        section.text("apiVersion")
        if section.choice("kind", Kind, default=kind) not in {kind, None}:
            section.wrong("kind", kind.value)
        name, _ = metadata(section)
        spec = section.section("spec")
        section.taken.append(ref)
        section.end()
        if spec is None:
            section.wrong("spec", f"a mapping, or {ref}")
            return None
        return name, spec

    def _add(self, document: Written) -> None:
        head = Section(document, "", self.findings)
        version = head.text("apiVersion", required=True, allowed=API_VERSION)
        if version and version != API_VERSION:
            head.wrong("apiVersion", API_VERSION)
            return  # the keys of another version are not ours to judge
        kind = head.choice("kind", Kind)
        name, labels = metadata(head)
        spec = head.raw("spec")
        head.end()
        if kind is None or not name:
            return
        if (kind, name) in self._objects:
            first = self._objects[kind, name][0].where
            head.wrong("metadata", "each name once", f"{kind.value} {name!r}, which stands at {first} too")
            return
        self._objects[kind, name] = (head, labels)
        self._specs[kind, name] = spec if spec is not None else Written(value={}, where=document.where)


def metadata(section: Section) -> tuple[str, Mapping[str, tuple[str, ...]]]:
    """Return the name and the labels of an object."""
    inner = section.section("metadata")
    if inner is None:
        section.wrong("metadata", "a mapping with name")
        return "", {}
    name = inner.text("name", required=True, allowed=_NAME_ALLOWED)
    if name and (len(name) > NAME_CHARACTERS_MAX or not _NAME.fullmatch(name)):
        inner.wrong("name", _NAME_ALLOWED)
    if name != name.lower():
        inner.lint("name", f"{name!r} has capitals, which RFC 1123 does not have")
    inner.text("displayName")
    inner.raw("annotations")
    labels = _labels(inner)
    inner.end()
    return name, labels


def _labels(inner: Section) -> dict[str, tuple[str, ...]]:
    section = inner.section("labels")
    found: dict[str, tuple[str, ...]] = {}
    for name, written in section.items() if section else ():
        parts = written.value if isinstance(written.value, list) else [written]
        texts = [part.value for part in parts if isinstance(part.value, str)]
        found[name] = tuple(texts)
        if len(texts) != len(parts):
            inner.findings.error(written.where, inner.path(f"labels.{name}"), shown(written.value), "a text or texts")
    if len(found) > LABELS_MAX:
        inner.wrong("labels", f"at most {LABELS_MAX}", f"{len(found)} labels")
    return found
