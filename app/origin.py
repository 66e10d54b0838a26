"""Tells the browser where the server is, so that it need not guess: its guesses below a page's address are 404s."""

import json

import streamlit as st
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["Origin"]

HEAD = b"<head>"


class Origin:
    """ASGI middleware; whatever is no HTML passes through."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "GET" or b"text/html" not in _said(scope, b"accept"):
            await self.app(scope, receive, send)
            return
        plain = [(name, value) for name, value in scope["headers"] if name != b"accept-encoding"]
        await self.app({**scope, "headers": plain}, receive, _Telling(send))  # it is packed further out


class _Telling:
    """Holds an HTML page back until it is whole, and adds a line to its head."""

    def __init__(self, send: Send) -> None:
        self.send = send
        self.start: Message | None = None
        self.parts: list[bytes] = []

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start" and _is_page(message):
            self.start = message
        elif self.start is None:
            await self.send(message)
        else:
            self.parts.append(message.get("body", b""))
            if not message.get("more_body", False):
                await self._whole(self.start, b"".join(self.parts).replace(HEAD, HEAD + line(), 1))

    async def _whole(self, start: Message, body: bytes) -> None:
        MutableHeaders(raw=start["headers"])["content-length"] = str(len(body))
        await self.send(start)
        await self.send({"type": "http.response.body", "body": body})


def line() -> bytes:
    """The script; its only number is the path under which an operator serves the app."""
    path = "/".join(["", *filter(None, str(st.get_option("server.baseUrlPath")).split("/"))])
    return f"<script>window.__streamlit={{BACKEND_BASE_URL:location.origin+{json.dumps(path)}}}</script>".encode()


def _said(scope: Scope, header: bytes) -> bytes:
    return next((bytes(value) for name, value in scope["headers"] if name == header), b"")


def _is_page(message: Message) -> bool:
    headers = MutableHeaders(raw=message["headers"])
    plain = "content-encoding" not in headers
    return message["status"] == 200 and plain and headers.get("content-type", "").startswith("text/html")
