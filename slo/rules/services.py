"""Knows of which service an endpoint is a part, by the objectives; refuses to know what is promised of it.

Alerts of objectives carry their service, and channels are chosen by it. Built-in rules know endpoints alone, so that
without a service their alerts would reach nobody whose channel asks for one.

Source: spec/slo.md 9 (identity labels), 11 (delivery).
"""

from collections.abc import Iterable
from functools import lru_cache

from slo.limits import speaks_of
from slo.objective import Objective

_KEPT = 4_096


class Services:
    """The services of endpoints.

    Args:
        objectives: What is promised, and of which service.
    """

    def __init__(self, objectives: Iterable[Objective] = ()) -> None:
        self._objectives = tuple(objectives)
        self.of = lru_cache(maxsize=_KEPT)(self._found)
        """Returns the service of an endpoint and model."""

    def _found(self, endpoint: str, model: str) -> str:
        """Return the only service whose objectives speak of an endpoint; else the endpoint is its own."""
        found = {one.service for one in self._objectives if speaks_of(one, endpoint, model)}
        return found.pop() if len(found) == 1 else endpoint
