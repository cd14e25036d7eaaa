"""Knows the configuration keys of the built-in rules, made of their list; refuses to know what a rule does.

Source: spec/slo.md 13 (`enabled, threshold, window, severity, mode, min_events`); `slo.rules.about`.
"""

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, create_model

from inferometer.keys import Allowed, Section
from slo.rules.about import ABOUT, About

WINDOW_S_MAX = 2_592_000
"""Longest window of a rule: 30 days."""

_Enabled = Annotated[bool, Allowed("true or false")]
_Number = Annotated[float | None, Field(gt=0, allow_inf_nan=False), Allowed("a number above 0")]
_Window = Annotated[
    int | None, Field(ge=60, le=WINDOW_S_MAX), Allowed(f"whole seconds from 60 to {WINDOW_S_MAX}, which is 30 days")
]
_Severity = Annotated[Literal["page", "ticket"] | None, Allowed("page or ticket")]
_Mode = Annotated[Literal["sound", "naive", "both"], Allowed("sound, naive or both")]
_Events = Annotated[int | None, Field(ge=0), Allowed("a whole number of requests")]


def told(keys: Section) -> dict[str, Any]:
    """Return what was configured of each rule, without what was left as it is."""
    return keys.model_dump(exclude_unset=True, exclude_none=True)


def _of_rules() -> type[Section]:
    sections = {name: _of_rule(name, of) for name, of in ABOUT.items()}
    fields: dict[str, Any] = {name: (section, section()) for name, section in sections.items()}
    return create_model("rules", __base__=Section, **fields)


def _of_rule(name: str, of: About) -> type[Section]:
    fields: dict[str, Any] = {
        "enabled": (_Enabled, Field(default=True, description="Whether the rule is asked at all.")),
        "window_s": (_Window, Field(default=None, description="Length of its window; empty: the rule's own.")),
        "severity": (_Severity, Field(default=None, description="Severity of all its alerts; empty: the rule's own.")),
        "mode": (_Mode, Field(default="sound", description="Which readings make alerts.")),
        "min_events": (_Events, Field(default=None, description="Fewer requests say nothing; empty: the rule's own.")),
    }
    if of.threshold:
        fields["threshold"] = _number(of.threshold)
    if of.options:
        options: dict[str, Any] = {option: _number(meaning) for option, meaning in of.options.items()}
        section = create_model(f"{name}_options", __base__=Section, **options)
        fields["options"] = (section, section())
    had = {key: of_key for key, of_key in fields.items() if key not in of.without}
    return create_model(name, __base__=Section, **had)


def _number(meaning: str) -> tuple[Any, Any]:
    return _Number, Field(default=None, description=f"{meaning[0].upper()}{meaning[1:]}.")


if TYPE_CHECKING:
    RuleKeys = Section
else:  # made of a list, which no checker of types reads
    RuleKeys = _of_rules()
"""A section for each rule, with the keys that it has."""
