"""Work behind: in order, not far ahead, and what goes wrong comes out."""

from __future__ import annotations

import threading
from functools import partial

import pytest

from smd_cli.output.behind import MOST_AHEAD, behind


def test_all_is_done_in_order_in_one_other_thread() -> None:
    done: list[tuple[int, int]] = []

    def note(number: int) -> None:
        done.append((number, threading.get_ident()))

    with behind() as do:
        for number in range(20):
            do(partial(note, number))
    assert [number for number, _ in done] == [*range(20)]
    [thread] = {thread for _, thread in done}
    assert thread != threading.get_ident()


def test_whoever_is_too_far_ahead_waits() -> None:
    """One piece is held up: as many as may be ahead are taken, and then none until it is done."""
    gate, taken = threading.Event(), 0
    with behind() as do:
        threading.Timer(0.3, gate.set).start()
        for _ in range(MOST_AHEAD):
            do(lambda: gate.wait(10))
            taken += 1
        assert not gate.is_set()
        do(lambda: None)
        assert gate.is_set()
    assert taken == 2


def test_an_error_comes_out_and_nothing_later_is_done() -> None:
    done: list[int] = []

    def fail() -> None:
        raise OSError("no room")

    def bring() -> None:
        with behind() as do:
            do(lambda: done.append(1))
            do(fail)
            for number in range(2, 99):
                do(partial(done.append, number))

    with pytest.raises(OSError, match="no room"):
        bring()
    assert done == [1]


def test_an_error_of_the_last_piece_comes_out() -> None:
    with pytest.raises(ZeroDivisionError), behind() as do:
        do(lambda: 1 // 0)


def test_an_interrupt_waits_for_the_piece_at_hand_alone() -> None:
    begun, gate, done = threading.Event(), threading.Event(), list[str]()

    def long() -> None:
        begun.set()
        gate.wait(10)
        done.append("the piece at hand")

    def interrupted() -> None:
        with behind() as do:
            do(long)
            do(lambda: done.append("another"))
            begun.wait(10)
            threading.Timer(0.1, gate.set).start()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert done == ["the piece at hand"]
    assert not [one for one in threading.enumerate() if one.name.startswith("writer")]
