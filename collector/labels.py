"""Knows which names from the wire may become labels; refuses to let a client invent them.

A model is known by configuration, or because this endpoint once answered a request for it with 2xx; anything else is
`unknown`. Engines that ignore the name answer 2xx to any, so what is learnt is bounded.

Source: spec/store.md 6, spec/measurement.md 15 T7 (litellm PR 39136: misspelt models leaked series).
"""

from collections.abc import Iterable

_MODELS_MAX = 64
"""Most models learnt from successful answers, beyond the configured ones."""
_REPLICAS_MAX = 256
"""Most upstream addresses of an endpoint."""
_LABEL_CHARS_MAX = 128
"""Longest label."""

UNKNOWN = "unknown"
"""A model that is neither configured nor learnt."""
OTHER = "other"
"""An upstream address beyond the bound."""


def sanitised(name: str) -> str:
    """Return the name with every character that is not printable replaced by `?`, cut at the longest label."""
    name = name[:_LABEL_CHARS_MAX]
    return name if name.isprintable() else "".join(char if char.isprintable() else "?" for char in name)


class Labels:
    """The names of one endpoint that may become labels."""

    def __init__(self, models: Iterable[str] = ()) -> None:
        self._configured = frozenset(sanitised(model) for model in models)
        self._learnt: set[str] = set()
        self._replicas: set[str] = set()

    def model(self, name: str, *, http_status: int) -> str:
        """Return the label of a model; empty if the request named none.

        Args:
            name: As the request named it.
            http_status: Of the answer; a 2xx teaches the name.
        """
        label = sanitised(name)
        if not label or label in self._configured or label in self._learnt:
            return label
        if http_status // 100 != 2 or len(self._learnt) >= _MODELS_MAX:  # noqa: PLR2004 -- the class of success
            return UNKNOWN
        self._learnt.add(label)
        return label

    def replica(self, address: str) -> str:
        """Return the label of an upstream address; empty if it is not known."""
        label = sanitised(address)
        if not label or label in self._replicas:
            return label
        if len(self._replicas) >= _REPLICAS_MAX:
            return OTHER
        self._replicas.add(label)
        return label
