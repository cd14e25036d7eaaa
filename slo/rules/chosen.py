"""Knows what a rule uses of its settings: what was configured, as far as it can, or its own; refuses to know rules.

Source: spec/slo.md 13 (`enabled, threshold, window, severity, mode, min_events`).
"""

from slo.rules.rule import Settings

HOUR_S, DAY_S = 3_600, 86_400


def least_events(settings: Settings, own: int) -> int:
    """Return how many requests say something: at least one, since nothing follows from none."""
    return own if settings.min_events is None else max(1, settings.min_events)


def window_s(settings: Settings, own_s: int, step_s: int = 1) -> int:
    """Return the length of a window that is compared with the same hours of days before, seconds.

    Args:
        settings: Of the rule.
        own_s: Length where none is configured.
        step_s: A configured length is rounded up to a multiple of this; a day at most is looked at.
    """
    return min(DAY_S, -(-(settings.window_s or own_s) // step_s) * step_s)
