"""Knows what a rule uses of its settings: what was configured, as far as it can, or its own; refuses to know rules.

Source: spec/slo.md 13 (`enabled, threshold, window, severity, mode, min_events`).
"""

from slo.rules.rule import Settings

MINUTE_S, HOUR_S, DAY_S = 60, 3_600, 86_400


def least_events(settings: Settings, own: int) -> int:
    """Return how many requests say something: at least one, since nothing follows from none."""
    return own if settings.min_events is None else max(1, settings.min_events)


def window_s(settings: Settings, own_s: int, step_s: int = 1, most_s: int = DAY_S) -> int:
    """Return the length of a window that can be no longer than what a question reads, seconds.

    Args:
        settings: Of the rule.
        own_s: Length where none is configured.
        step_s: A configured length is rounded up to a multiple of this.
        most_s: It is cut to this: a day, where it is compared with the same hours of days before.
    """
    return min(most_s, -(-(settings.window_s or own_s) // step_s) * step_s)
