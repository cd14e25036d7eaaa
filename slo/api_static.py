"""Knows how the web pages are served from their folder: names, types, caching, policy; refuses to know what they show.

What lies below `vendor/` has its version in its path and never changes. Everything else is asked for again each time,
by its entity tag. Every other address is a page, and the page is always the same.

Source: spec/ui.md 2, 7; starlette/staticfiles.py (entity tags, paths that leave the folder).
"""

import hashlib
from pathlib import Path, PurePosixPath
from typing import cast

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from slo.api_reply import known_tags
from slo.static_policy import DEPTH_MAX, IndexPage, index_pages

AT = "/ui"
_FOLDERS = frozenset({"app", "vendor", ".."})
"""Where an address is a file's, or nothing's."""
_FOREVER, _ASK_AGAIN = "public, max-age=31536000, immutable", "no-cache"


def serve_pages(app: Starlette, folder: Path) -> None:
    """Let an application serve the pages of a folder below `/ui/`.

    Args:
        app: The application.
        folder: Holds `index.html`.

    Raises:
        ValueError: The page breaks its own policy.
        OSError: There is no page.
    """
    app.mount(f"{AT}/", _Pages(folder, index_pages((folder / "index.html").read_text(encoding="utf-8"))))
    app.add_route("/", _to_pages, include_in_schema=False)
    app.add_route(AT, _to_pages, include_in_schema=False)


async def _to_pages(_request: Request) -> Response:
    return RedirectResponse(f"{AT.removeprefix('/')}/")  # relative: there may be a path before ours


class _Pages(StaticFiles):
    def __init__(self, folder: Path, pages: tuple[IndexPage, ...]) -> None:
        super().__init__(directory=folder)
        self._pages = pages

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Answer one request."""
        if _is_page(path):
            response = self._page(Request(scope))
        else:
            response = await super().get_response(path, scope)
            response.headers["Cache-Control"] = _FOREVER if path.startswith("vendor/") else _ASK_AGAIN
            response.headers["Content-Security-Policy"] = self._pages[0].policy
        response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
        return response

    def _page(self, request: Request) -> Response:
        if request.method not in {"GET", "HEAD"}:
            raise HTTPException(status_code=405)
        depth = _depth(request.scope)
        if depth > DEPTH_MAX:
            raise HTTPException(status_code=404)
        page = self._pages[depth]
        tag = f'"{hashlib.sha256(page.html.encode()).hexdigest()[:32]}"'
        headers = {"ETag": tag, "Cache-Control": _ASK_AGAIN, "Content-Security-Policy": page.policy}
        if tag in known_tags(request):
            return Response(status_code=304, headers=headers)
        return Response(page.html, media_type="text/html; charset=utf-8", headers=headers)


def _is_page(path: str) -> bool:
    """Return whether an address means a page: files lie in two folders, and a name may have a dot too."""
    folder = path.partition("/")[0]
    return path == "index.html" or (folder not in _FOLDERS and not (folder == path and PurePosixPath(path).suffix))


def _depth(scope: Scope) -> int:
    """Return how many levels below `/ui/` a browser sees: a slash that is escaped belongs to a name."""
    raw = cast("bytes", scope.get("raw_path") or scope["path"].encode())
    return raw.partition(b"?")[0].partition(f"{AT}/".encode())[2].count(b"/")
