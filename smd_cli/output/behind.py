"""Work that goes on in a thread of its own, piece by piece, while the next frame is painted."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

MOST_AHEAD = 2
"""So many pieces of work at most are begun or wait; whoever brings one more waits himself."""

Work = Callable[[], object]
Do = Callable[[Work], None]
"""Takes a piece of work: does it at once, or has it done in turn."""


@contextmanager
def behind() -> Iterator[Do]:
    """Work that is brought here is done in order, by another thread.

    What goes wrong with a piece is raised where the next ones are brought, or on leaving the block,
    as if it had been done there; no later piece is done then. Leaving the block waits for all;
    leaving it by an exception (Ctrl-C too) only for the piece at hand, and drops the others.
    """
    worker = _Worker()
    try:
        yield worker.do
        worker.wait(leaving=0)
    finally:
        worker.end()


class _Worker:
    """The thread, and what it has not done yet."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="writer")
        self._ahead: deque[Future[object]] = deque()
        self._failed = False

    def do(self, work: Work) -> None:
        """Have a piece done after all before it."""
        self.wait(leaving=MOST_AHEAD - 1)
        self._ahead.append(self._thread.submit(self._in_turn, work))

    def wait(self, leaving: int) -> None:
        """Until no more than so many are left. Raises what went wrong with those that are done."""
        while len(self._ahead) > leaving or (self._ahead and self._ahead[0].done()):
            self._ahead.popleft().result()

    def end(self) -> None:
        """Once the piece at hand is done, do no more."""
        self._thread.shutdown(wait=True, cancel_futures=True)

    def _in_turn(self, work: Work) -> None:
        if self._failed:
            return
        try:
            work()
        except BaseException:
            self._failed = True
            raise
