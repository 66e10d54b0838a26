import gzip

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from app import compress


def client() -> TestClient:
    route = Route("/{path:path}", lambda request: PlainTextResponse("x" * 5000))
    return TestClient(Starlette(routes=[route], middleware=[Middleware(compress.Compress)]))


def some_bundle() -> str:
    folder = compress.BUNDLES / "static" / "js"
    return max(folder.glob("*.js"), key=lambda file: file.stat().st_size).name


def test_bundles_are_compressed_once_and_kept_for_a_year() -> None:
    name = some_bundle()
    answer = client().get(f"/static/js/{name}")
    assert answer.headers["content-encoding"] == "gzip"
    assert "immutable" in answer.headers["cache-control"]
    original = (compress.BUNDLES / "static" / "js" / name).read_bytes()
    assert answer.content == original
    assert int(answer.headers["content-length"]) < len(original) / 2
    assert compress.packed(f"js/{name}") is compress.packed(f"js/{name}")


def test_a_browser_that_cannot_unpack_gets_the_file_as_it_is() -> None:
    answer = client().get(f"/static/js/{some_bundle()}", headers={"accept-encoding": "identity"})
    assert "content-encoding" not in answer.headers


def test_other_answers_are_compressed_on_the_fly() -> None:
    answer = client().get("/")
    assert answer.headers["content-encoding"] == "gzip"
    assert "cache-control" not in answer.headers


def test_the_address_never_leads_out_of_the_folder() -> None:
    assert compress.packed("../../config.py") is None
    assert compress.packed("/etc/hostname.js") is None
    assert compress.packed("js/absent.js") is None


def test_packed_bytes_unpack_to_the_file() -> None:
    name = f"js/{some_bundle()}"
    body = compress.packed(name)
    assert body is not None
    assert gzip.decompress(body) == (compress.BUNDLES / "static" / name).read_bytes()
