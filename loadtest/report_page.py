"""Knows the file that a sheet becomes: one HTML page that asks for nothing; refuses to read files or know its sheet.

    policy    default-src 'none', and the hashes of the one script and the one style that the page carries
    data      JSON in a block that no browser runs; `<`, `>` and `&` are escapes, so no text of it ends the block
    texts     become text nodes only

Source: spec/loadtest.md 18 (CSP, inert JSON block); spec/ui.md 7; CSP level 3, hash sources; the HTML standard, script
data (`</script`, `<!--`).
"""

from base64 import b64encode
from hashlib import sha256
from html import escape

import msgspec

from loadtest.report_shapes import Sheet
from loadtest.report_words import short

_ESCAPES = ((b"<", b"\\u003c"), (b">", b"\\u003e"), (b"&", b"\\u0026"))
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<main id="report"><noscript>This page draws its charts and tables by a script of its own. \
The same figures are in the JSON file beside it.</noscript></main>
<script type="application/json" id="data">{data}</script>
<script>{script}</script>
</body>
</html>
"""


def page(sheet: Sheet, script: str, style: str) -> str:
    """Return the page.

    Args:
        sheet: What it shows.
        script: That draws it; has no `</script`.
        style: How it looks; has no `</style`.
    """
    policy = "; ".join(
        (
            "default-src 'none'",
            f"script-src {_hash(script)}",
            f"style-src {_hash(style)}",
            "base-uri 'none'",
            "form-action 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        )
    )
    return _PAGE.format(
        policy=escape(policy, quote=False),
        title=escape(short(sheet.title)),
        style=style,
        script=script,
        data=_data(sheet),
    )


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


def _data(sheet: Sheet) -> str:
    data = msgspec.json.encode(sheet)
    for letter, code in _ESCAPES:
        data = data.replace(letter, code)
    return data.decode()
