"""A bounded memory that threads share, keyed by content: whoever brings the same bytes gets the same answer."""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Condition, Lock
from typing import Generic, TypeVar
from weakref import WeakSet

__all__ = ["Content", "Memory", "Shelf", "Turns"]

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Memory(Generic[K, V]):
    """The most recently used entries.

    Args:
        size: How many are kept; or what they may weigh together, where `weight` is given.
        weight: Of one entry, as its bytes. The newest is kept whatever it weighs.
    """

    def __init__(self, size: int, weight: Callable[[V], int] = lambda entry: 1) -> None:
        self.size, self.weight = size, weight
        self._kept: OrderedDict[K, V] = OrderedDict()
        self._total = 0
        self._lock = Lock()

    def get(self, key: K) -> V | None:
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def put(self, key: K, value: V) -> V:
        """Keep it, drop the oldest beyond `size`, and hand it back."""
        with self._lock:
            self._total += self.weight(value) - self._weight_of(key)
            self._kept[key] = value
            self._kept.move_to_end(key)
            while self._total > self.size and len(self._kept) > 1:
                self._total -= self._weight_of(next(iter(self._kept)))
                self._kept.popitem(last=False)
        return value

    def drop(self, wanted: Callable[[K], bool]) -> None:
        """Let go of the entries whose key is wanted."""
        with self._lock:
            for key in [key for key in self._kept if wanted(key)]:
                self._total -= self._weight_of(key)
                del self._kept[key]

    def find(self, key: K, make: Callable[[], V]) -> V:
        """What is kept, or else what `make` gives. Two threads may both make it; the answers are equal."""
        found = self.get(key)
        return self.put(key, make()) if found is None else found

    def _weight_of(self, key: K) -> int:
        return self.weight(self._kept[key]) if key in self._kept else 0


class Content:
    """Bytes that may be taken away, see `Shelf`.

    Args:
        content: They themselves.
        dropped: Called when they are.
    """

    def __init__(self, content: bytes, dropped: Callable[[], None]) -> None:
        self.size, self.used = len(content), time.monotonic()
        self._content: bytes | None = content
        self._dropped = dropped

    @property
    def bytes(self) -> bytes | None:
        """None once they were taken away."""
        self.used = time.monotonic()
        return self._content

    def drop(self) -> None:
        """Take them away."""
        if self._content is not None:
            self._content = None
            self._dropped()


class Shelf:
    """Contents of many holders, up to so many bytes together: what nobody looked at for longest makes room.

    The shelf keeps nothing alive: what its holder lets go of is gone.

    Args:
        limit: Bytes.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._held: WeakSet[Content] = WeakSet()
        self._lock = Lock()

    def put(self, content: bytes, dropped: Callable[[], None]) -> Content:
        """Keep it, and take away the oldest beyond the limit."""
        made = Content(content, dropped)
        with self._lock:
            held = sorted(self._held, key=lambda one: one.used)
            total = made.size + sum(one.size for one in held)
            while held and total > self.limit:
                oldest = held.pop(0)
                total -= oldest.size
                self._held.discard(oldest)
                oldest.drop()
            self._held.add(made)
        return made


class Turns:
    """One network runs at a time, first come, first served, so that everyone else's sliders stay quick."""

    def __init__(self) -> None:
        self._change = Condition()
        self._line: list[object] = []

    def join(self) -> object:
        """A ticket, last in line; give it to `ahead`, and to `leave` whatever happens."""
        ticket = object()
        with self._change:
            self._line.append(ticket)
        return ticket

    def ahead(self, ticket: object, seconds: float) -> int:
        """How many are still before this ticket after at most `seconds`; 0 means that it is its turn."""
        with self._change:
            self._change.wait_for(lambda: self._line[0] is ticket, seconds)
            return self._line.index(ticket)

    def leave(self, ticket: object) -> None:
        """The turn is over, or the visitor went away while waiting."""
        with self._change:
            self._line.remove(ticket)
            self._change.notify_all()
