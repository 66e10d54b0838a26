"""The launch target: `python -m streamlit run app/asgi.py`, or any ASGI server with `app.asgi:app`."""

import asyncio
import gc
import logging
import os
import pkgutil
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from pathlib import Path

import plotly.graph_objects as go
import streamlit as st
import torch
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from app import widgets
from app.charts.style import styled
from app.compress import Compress
from app.origin import Origin
from app.services import outlier_pictures, resources, sheets
from app.theme import LIGHT
from oodcore.errors import OODError

log = logging.getLogger("app")

MANY = 3_000  # objects, which the collector walks in a millisecond
SOON, SELDOM = 1, 60  # seconds


@asynccontextmanager
async def lifespan(_: st.App) -> AsyncIterator[None]:
    """Everything slow happens once, before the first visitor."""
    await asyncio.to_thread(warm_up)
    tidying = asyncio.create_task(tidy())
    try:
        yield
    finally:
        tidying.cancel()


def warm_up() -> None:
    """Load what pages are made of, and let the first page's checkpoints look at its pictures."""
    torch.set_num_threads(max(1, (os.cpu_count() or 2) - 1))  # one core stays free for the visitors' sliders
    for module in pkgutil.iter_modules(widgets.__path__, "app.widgets."):
        import_module(module.name)
    for name in ("pandas", "scipy.special"):  # of every table, and of every promise of a threshold
        import_module(name)
    styled(go.Figure(), LIGHT, 100)  # the first figure of a process takes a tenth of a second more
    try:
        resources.warm()
    except OODError as problem:
        log.warning("The first checkpoint is not ready: %s", problem)
    set_aside()


async def tidy() -> None:
    """What pages import later, and what sessions keep, leaves the collector's sight, too.

    Every few seconds without a look; once a minute after one, which takes a while and finds cycles among all of it.
    """
    seconds, frozen = 0, False
    while True:
        await asyncio.sleep(SOON)
        seconds += SOON
        if len(gc.get_objects()) > MANY:
            gc.freeze()
            frozen = True
        if frozen and seconds >= SELDOM:
            set_aside()
            seconds, frozen = 0, False


def set_aside() -> None:
    """Collect garbage once more, and take what is left out of the collector's sight.

    Streamlit collects after every rerun; with torch imported that walks 600,000 objects and costs 300 ms a click, with
    thirty sessions another 100 ms. What is set aside is still freed when nothing refers to it.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()


def told(problem: Exception) -> bool:
    """A sentence on the page; the details under the same reference in the log."""
    reference = secrets.token_hex(3)
    log.error("Reference %s", reference, exc_info=problem)
    st.error(
        f"Something went wrong here. Reference {reference}. The rest of the app still works; reload the page to retry.",
        icon=":material/error:",
    )
    return True


def first(request: Request) -> Response:
    """The first page's own name, which Streamlit knows no address for."""
    query = request.url.query
    return RedirectResponse(f"./?{query}" if query else "./")


def thumbnail(request: Request) -> Response:
    """A picture of a drawn set; whoever knows its number may see it, for code draws it the same anywhere."""
    about = request.path_params
    try:
        content = outlier_pictures.thumbnail(about["name"], about["split"], about["number"])
    except OODError as problem:
        return PlainTextResponse(str(problem), 404)
    return Response(content, media_type="image/png", headers={"Cache-Control": "public, max-age=86400, immutable"})


async def sheet(request: Request) -> Response:
    """Thumbnails of reference images; the key is a hash that only a page of this server has told."""
    content = await sheets.soon(request.path_params["key"])
    if content is None:
        return PlainTextResponse("These pictures are not here. Reload the page.", 404)
    return Response(content, media_type="image/webp", headers={"Cache-Control": "private, max-age=86400, immutable"})


app = st.App(
    Path(__file__).with_name("main.py"),
    lifespan=lifespan,
    routes=[
        Route("/score", first),
        Route("/drawn/{name}/{split}/{number:int}.png", thumbnail),
        Route("/sheets/{key}.webp", sheet),
    ],
    middleware=[Middleware(Compress), Middleware(Origin)],
    on_script_error=told,
)
