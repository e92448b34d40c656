"""What was made once and may be needed again: kept for as long as the last round asked for it."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

T = TypeVar("T")


class Kept(Generic[T]):
    """Things by what they were made of. A round that ends well drops what it did not ask for.

    A round within another is a part of that.
    """

    def __init__(self) -> None:
        self._old: dict[Hashable, T] = {}
        self._new: dict[Hashable, T] = {}
        self._asking = False

    def __len__(self) -> int:
        return len(self._old)

    @contextmanager
    def round(self) -> Iterator[None]:
        """Ask for all that is needed within this; where it fails, what the last one kept stays."""
        if self._asking:
            yield
            return
        self._new, self._asking = {}, True
        try:
            yield
            self._old = self._new
        finally:
            self._new, self._asking = {}, False

    def of(self, key: Hashable, make: Callable[[], T]) -> T:
        """The thing of a key, made where neither this round nor the last one asked for it."""
        if key not in self._new:
            self._new[key] = self._old[key] if key in self._old else make()
        return self._new[key]
