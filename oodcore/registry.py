"""The file name is the name, the folder is the list.

A part is one file with one registered class in it; packages add more by an entry point in the group
`oodcore.scorers` (or whatever the folder is called). Listing names imports nothing.
"""

import difflib
import pkgutil
import sys
from collections.abc import Callable, Iterator
from functools import cached_property
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, Generic, TypeVar

from oodcore.errors import UnknownNameError

T = TypeVar("T", bound=type[Any])


def did_you_mean(kind: str, name: str, known: list[str]) -> str:
    """`No scorer is called 'knm'. Did you mean 'knn'? Known: …`."""
    close = difflib.get_close_matches(name, known, n=1)
    hint = f" Did you mean '{close[0]}'?" if close else ""
    return f"No {kind} is called '{name}'.{hint} Known: {', '.join(known)}."


class Registry(Generic[T]):
    """Classes by name, found in a folder and in entry points.

    Args:
        kind: Singular noun for messages, as `"scorer"`.
        package: Dotted name of the package whose modules are the parts; names starting with `_` are not parts.
    """

    def __init__(self, kind: str, package: str) -> None:
        self.kind = kind
        self.package = package
        self._classes: dict[str, T] = {}

    def register(self, cls: T) -> T:
        """Class decorator; the class is returned untouched."""
        self._classes[cls.__module__.rpartition(".")[2]] = cls
        return cls

    @cached_property
    def _plugins(self) -> dict[str, EntryPoint]:
        return {point.name: point for point in entry_points(group=self.package)}

    def names(self) -> list[str]:
        """Every known name, sorted; nothing is imported for it."""
        folder = Path(str(sys.modules[self.package].__file__)).parent
        own = (module.name for module in pkgutil.iter_modules([str(folder)]))
        return sorted({name for name in own if not name.startswith("_")} | set(self._plugins))

    def __getitem__(self, name: str) -> T:
        if name not in self._classes:
            if name in self._plugins:
                load: Callable[[], T] = self._plugins[name].load
                self._classes[name] = load()
            elif name in self.names():
                import_module(f"{self.package}.{name}")
            else:
                raise UnknownNameError(did_you_mean(self.kind, name, self.names()))
        return self._classes[name]

    def __contains__(self, name: object) -> bool:
        return name in self.names()

    def __iter__(self) -> Iterator[str]:
        return iter(self.names())

    def __len__(self) -> int:
        return len(self.names())
