"""Knows which text a spreadsheet would run as a formula, and stops it; refuses to know tables.

Source: spec/ui.md 3 (CSV); OWASP, CSV Injection.
"""

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def csv_cell(value: object) -> object:
    """Return a value as a spreadsheet may read it: a text that would run gets an apostrophe, a number stays."""
    return "'" + value if isinstance(value, str) and value.startswith(_FORMULA_STARTS) else value
