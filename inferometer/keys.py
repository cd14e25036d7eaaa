"""Knows what every configuration key has: words for what it may hold, and a section that refuses others; no more.

Source: design.md (configuration).
"""

from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict


@dataclass(frozen=True, slots=True)
class Allowed:
    """What a key may hold, in words for a message; stands in the key's annotation."""

    words: str


class Section(BaseModel):
    """Keys that belong together; others are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)
