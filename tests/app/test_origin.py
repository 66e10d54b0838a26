import gzip

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

from app.origin import Origin, line

PAGE = "<!DOCTYPE html><html><head><title>x</title></head><body><head></body></html>"


def packed(request: Request) -> Response:
    """As Streamlit answers: packed where the browser allows it."""
    if "gzip" not in request.headers.get("accept-encoding", ""):
        return HTMLResponse(PAGE)
    return Response(gzip.compress(PAGE.encode()), media_type="text/html", headers={"Content-Encoding": "gzip"})


def client() -> TestClient:
    routes = [
        Route("/text", lambda request: PlainTextResponse(PAGE)),
        Route("/missing", lambda request: Response(PAGE, 404, media_type="text/html")),
        Route("/{path:path}", packed, methods=["GET", "HEAD"]),
    ]
    return TestClient(Starlette(routes=routes, middleware=[Middleware(Origin)]), headers={"accept": "text/html,*/*"})


def test_a_page_is_told_where_the_server_is_before_any_other_script() -> None:
    answer = client().get("/blocks")
    told = line().decode()
    assert answer.text == PAGE.replace("<head>", f"<head>{told}", 1)
    assert int(answer.headers["content-length"]) == len(answer.content)
    assert 'BACKEND_BASE_URL:location.origin+""' in told


def test_everything_else_is_as_it_was() -> None:
    assert client().get("/text").text == PAGE
    assert client().get("/missing").text == PAGE
    assert line() not in client().head("/blocks").content
    assert client().get("/blocks", headers={"accept": "*/*"}).text == PAGE
