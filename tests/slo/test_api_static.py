"""How pages are served: types, caching, policy, what is no file."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from views import HOST, Told, judged, seen

from slo.api import application
from slo.api_guard import hosts_of

INDEX = '<!doctype html><script type="importmap">{}</script><script type="module" src="app/main.js"></script>'


@dataclass(frozen=True)
class Served:
    """An application with pages."""

    app: Any

    async def get(self, path: str, **headers: str) -> httpx.Response:
        transport = httpx.ASGITransport(app=self.app, client=("127.0.0.1", 50_000), raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url=f"http://{HOST}") as asker:
            return await asker.get(path, headers=headers)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Served:
    root = tmp_path_factory.mktemp("static")
    folder = root / "static"
    for name, text in (("index.html", INDEX), ("app/main.js", "//"), ("vendor/x-1/x.js", "//"), ("app/t.css", "p{}")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (root / "secret.txt").write_text("secret")
    told = Told(root, seen(judged()))
    return Served(application(told.parts, hosts_of("127.0.0.1", 8200), "0.0.0", folder))


async def test_a_page_has_its_policy_and_the_usual_headers(served: Served) -> None:
    page = await served.get("/ui/")

    assert INDEX == page.text
    assert "text/html; charset=utf-8" == page.headers["content-type"]
    assert "require-trusted-types-for 'script'" in page.headers["content-security-policy"]
    expected = {
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
        "cache-control": "no-cache",
    }
    assert expected.items() <= dict(page.headers).items()


@pytest.mark.parametrize("path", ["/ui/endpoints/chat", "/ui/slos", "/ui/loadtests/r1", "/ui/index.html"])
async def test_an_address_without_a_suffix_is_the_page(served: Served, path: str) -> None:
    page = await served.get(path)
    up = "../" * (path.removeprefix("/ui/").count("/"))

    assert INDEX.replace("app/main.js", f"{up}app/main.js") == page.text


@pytest.mark.parametrize(
    ("path", "levels"), [("/ui/endpoints/v1.2", 1), ("/ui/slos/whole%2Fpart", 1), ("/ui/a/b.c/d", 2)]
)
async def test_a_name_in_an_address_may_hold_dots_and_slashes(served: Served, path: str, levels: int) -> None:
    page = await served.get(path)

    assert INDEX.replace("app/main.js", f"{'../' * levels}app/main.js") == page.text


async def test_vendored_files_never_change_and_others_are_asked_for_again(served: Served) -> None:
    vendored, own = await served.get("/ui/vendor/x-1/x.js"), await served.get("/ui/app/main.js")

    assert "public, max-age=31536000, immutable" == vendored.headers["cache-control"]
    assert "no-cache" == own.headers["cache-control"]
    assert "text/javascript; charset=utf-8" == own.headers["content-type"]
    assert "text/css; charset=utf-8" == (await served.get("/ui/app/t.css")).headers["content-type"]
    for path, answer in (("/ui/app/main.js", own), ("/ui/", await served.get("/ui/"))):
        again = await served.get(path, **{"If-None-Match": answer.headers["etag"]})

        assert 304 == again.status_code


async def test_the_root_leads_to_the_pages_behind_any_prefix(served: Served) -> None:
    assert "ui/" == (await served.get("/")).headers["location"]
    assert "ui/" == (await served.get("/ui")).headers["location"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/ui/app/no.js", 404), ("/ui/../secret.txt", 404), ("/ui/%2e%2e/secret.txt", 404), ("/ui/a/b/c/d/e", 404),
        ("/docs", 404), ("/redoc", 404), ("/v1/slos", 200),
    ],
)  # fmt: skip
async def test_nothing_else_is_served(served: Served, path: str, status: int) -> None:
    answer = await served.get(path)

    assert status == answer.status_code
    assert "secret" != answer.text


async def test_nothing_is_taken(served: Served) -> None:
    transport = httpx.ASGITransport(app=served.app, client=("127.0.0.1", 50_000))
    async with httpx.AsyncClient(transport=transport, base_url=f"http://{HOST}") as asker:
        answer = await asker.post("/ui/", json={})

    assert 405 == answer.status_code


def test_a_page_that_breaks_its_policy_is_refused_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("<script>alert(1)</script>")
    told = Told(tmp_path, seen(judged()))
    with pytest.raises(ValueError, match=r"^index\.html: "):
        application(told.parts, hosts_of("127.0.0.1", 8200), "0.0.0", tmp_path)
