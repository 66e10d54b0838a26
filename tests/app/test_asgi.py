"""What the server does beside answering: garbage."""

import asyncio
import gc
import weakref

import pytest

from app import asgi


class Cycle:
    def __init__(self) -> None:
        self.own = self


@pytest.fixture(autouse=True)
def _as_before():
    yield
    gc.unfreeze()


def test_cycles_among_what_was_set_aside_are_found_at_the_next_turn() -> None:
    watched = weakref.ref(kept := Cycle())
    asgi.set_aside()
    assert gc.get_freeze_count() > 1000
    del kept
    gc.collect()
    assert watched() is not None  # the collector does not look there
    asgi.set_aside()
    assert watched() is None


def test_what_came_later_leaves_the_collectors_sight_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asgi, "SOON", 0.01)
    monkeypatch.setattr(asgi, "SELDOM", 1000)
    asgi.set_aside()
    later = [[] for _ in range(2 * asgi.MANY)]

    async def a_moment() -> None:
        tidying = asyncio.create_task(asgi.tidy())
        while len(gc.get_objects()) > asgi.MANY:
            await asyncio.sleep(0.01)
        tidying.cancel()

    asyncio.run(asyncio.wait_for(a_moment(), 20))
    assert len(later) == 2 * asgi.MANY
