"""What the end of `smd watch` tells: how much was painted, and where the last of it is."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import TINY, Smd

from smd_cli.report.events import Picture
from smd_cli.report.reporter import Reporter
from smd_cli.watch import live
from smd_cli.watch.board import Board, Command
from smd_cli.watch.tell import Teller

SCENE = f"model: {TINY}\nsize: 64x64\nbackground: a meadow\nframes: 2\nsampler: {{steps: 2}}\n"
END = "note: ended: {}\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s.yaml").write_text(SCENE, encoding="utf-8")
    return tmp_path


def when_fresh(monkeypatch: pytest.MonkeyPatch, do: str) -> None:
    """Quit, or press Ctrl-C, when the second frame is there."""
    told = Reporter.fresh

    def fresh(reporter: Reporter, picture: Picture, *, mute: bool = False) -> None:
        told(reporter, picture, mute=mute)
        if picture.frame == 1 and do == "interrupt":
            raise KeyboardInterrupt
        if picture.frame == 1:
            boards[-1].ask(Command.QUIT)

    def board() -> Board:
        boards.append(Board())
        return boards[-1]

    boards: list[Board] = []
    monkeypatch.setattr(Reporter, "fresh", fresh)
    monkeypatch.setattr("smd_cli.watch.run.Board", board)


@pytest.mark.usefixtures("folder")
def test_a_quit_tells_what_was_painted(monkeypatch: pytest.MonkeyPatch, smd: Smd) -> None:
    when_fresh(monkeypatch, "quit")
    ended = smd(["watch", "s.yaml", "-o", "live.png"])
    assert (ended.code, "interrupted" in ended.err) == (0, False)
    assert ended.err.endswith(END.format("2 pictures painted, the last is live.png"))


@pytest.mark.usefixtures("folder")
def test_so_does_ctrl_c(monkeypatch: pytest.MonkeyPatch, smd: Smd) -> None:
    when_fresh(monkeypatch, "interrupt")
    ended = smd(["watch", "s.yaml", "-o", "live.png"])
    assert (ended.code, "interrupted" in ended.err) == (130, False)
    assert ended.err.endswith(END.format("1 picture painted, the last is live.png"))


def test_an_end_before_the_first_picture(capsys: pytest.CaptureFixture[str]) -> None:
    Teller(Board(), Reporter()).ended()
    assert capsys.readouterr().err == END.format("no picture painted")


def test_an_interrupt_is_told_once(folder: Path, monkeypatch: pytest.MonkeyPatch, smd: Smd) -> None:
    def gone(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(live.Session, "run", gone)
    ended = smd(["watch", str(folder / "s.yaml")])
    assert (ended.code, ended.err.count("note: ")) == (130, 1)
