"""Knows the pages' content security policy, and how one page serves every depth of address; refuses to know files.

The one script that must stand in the page itself is the import map, so its hash is part of the policy; any other is
refused when the server starts. All addresses in the page are relative, so that it works behind a path prefix: below a
deeper address they are lifted by as many levels, and the hash is of the map that is then in the page.

Source: spec/ui.md 7 (policy), 2 (relative addresses, `/ui/*` without suffix is index.html); CSP 3, hash-source.
"""

import hashlib
import re
from base64 import b64encode
from dataclasses import dataclass

DEPTH_MAX = 3
"""Deepest address of a page: `/ui/alerts/{fingerprint}` is one level below `/ui/`."""

_SCRIPT = re.compile(r"<script\b([^>]*)>(.*?)</script\s*>", re.IGNORECASE | re.DOTALL)
_IMPORT_MAP = re.compile(r"""\btype\s*=\s*["']importmap["']""", re.IGNORECASE)
_INLINE = re.compile(r"""<style\b|\sstyle\s*=|\son[a-z]+\s*=|<base\b|javascript:""", re.IGNORECASE)
_RELATIVE = re.compile(r"""((?:src|href)=")(?=(?:app|vendor)/)""")
_MAPPED = re.compile(r'"\./(?=(?:app|vendor)/)')
_POLICY = (
    "default-src 'none'",
    "script-src 'self' {hashes}",
    *("style-src 'self'", "img-src 'self' data:", "font-src 'self'", "connect-src 'self'"),
    *("base-uri 'none'", "form-action 'self'", "frame-ancestors 'none'"),
    *("require-trusted-types-for 'script'", "trusted-types 'none'"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexPage:
    """The page at one depth.

    Attributes:
        html: What is sent.
        policy: Its content security policy.
    """

    html: str
    policy: str


def index_pages(html: str) -> tuple[IndexPage, ...]:
    """Return the page at each depth, from 0.

    Raises:
        ValueError: It has a script or a style of its own beside one import map.
    """
    return tuple(_page(_lifted(html, depth)) for depth in range(DEPTH_MAX + 1))


def _page(html: str) -> IndexPage:
    maps: list[str] = []
    for attributes, body in _SCRIPT.findall(html):
        if _IMPORT_MAP.search(attributes):
            maps.append(str(body))
        elif "src=" not in attributes or str(body).strip():
            raise ValueError("index.html: a script stands in the page; allowed are files, and one import map")
    if len(maps) > 1 or _INLINE.search(_SCRIPT.sub("", html)):
        raise ValueError("index.html: styles and handlers stand in the page, or two import maps; allowed are files")
    hashes = " ".join(f"'sha256-{b64encode(hashlib.sha256(one.encode()).digest()).decode()}'" for one in maps)
    return IndexPage(html=html, policy="; ".join(_POLICY).format(hashes=hashes))


def _lifted(html: str, depth: int) -> str:
    if depth == 0:
        return html
    up = "../" * depth
    return _MAPPED.sub(f'"{up}', _RELATIVE.sub(rf"\g<1>{up}", html))
