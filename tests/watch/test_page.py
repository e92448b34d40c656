"""The page in a real Chromium, with a board that is fed by hand."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dense import boxed as laid_out
from PIL import Image

from smd_cli.output.stills import Pixels
from smd_cli.scene.paint.painted import Painted, PaintedScene
from smd_cli.scene.types import Brush
from smd_cli.watch.board import Board, Command, Warned
from smd_cli.watch.serve import PageServer

from .browser import PATIENCE_S, Browser, Tab

pytestmark = pytest.mark.browser

EVIL = "<img src=x onerror=document.title='hit'>"
RED, BLUE = (200, 30, 40), (20, 60, 220)
ORANGE = (230, 159, 0)


def flat(colour: tuple[int, int, int], size: tuple[int, int] = (256, 256)) -> Pixels:
    """A picture of one colour, (width, height) large."""
    return np.full((size[1], size[0], 3), colour, np.uint8)


def painted(prompt: str = "a fox", name: str = "fox", left: int = 0) -> PaintedScene:
    """A scene with one brush on its left half, or further to the right."""
    paint = np.zeros((256, 256), np.float32)
    paint[:, left : left + 128] = 1
    return PaintedScene(
        (256, 256), (Painted(Brush(1, prompt, (), name=name), laid_out(paint), ()),), None
    )


@pytest.fixture
def board() -> Board:
    """A board with a fresh red picture."""
    board = Board()
    facts = {"scene": "meadow.yaml", "wanted": 1, "shown": 1, "fresh": True, "seed": 7}
    board.tell(pixels=flat(RED), painted=painted(), **facts)
    return board


@pytest.fixture
def tab(board: Board, browser: Browser) -> Iterator[Tab]:
    """The page about the board, with its picture."""
    with PageServer(board, 0) as page:
        tab = browser.open(page.url)
        tab.until("document.title === 'FRESH · meadow.yaml'")
        tab.until("document.getElementById('picture').naturalWidth")
        yield tab
        tab.close()


def until(done: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not done():
        assert time.monotonic() < end, "it did not come true in time"
        time.sleep(0.05)


def box(tab: Tab, selector: str) -> tuple[float, float, float, float]:
    """Where an element is: left, top, width, height."""
    found = tab.evaluate(
        f"(b => [b.x, b.y, b.width, b.height])"
        f"(document.querySelector('{selector}').getBoundingClientRect())"
    )
    left, top, width, height = found
    return left, top, width, height


def colour_at(tab: Tab, x: float, y: float) -> tuple[int, ...]:
    """What is seen in the picture at a place, in shares of its sides."""
    left, top, width, height = box(tab, "#stage")
    seen = tab.screenshot().getpixel((int(left + x * width), int(top + y * height)))
    assert isinstance(seen, tuple)
    return seen


def near(seen: tuple[int, ...], colour: tuple[int, ...]) -> bool:
    return all(abs(a - b) <= 6 for a, b in zip(seen, colour, strict=True))


def asked(board: Board) -> list[Command]:
    """What was asked for, as soon as there is anything."""
    assert board.wake.wait(PATIENCE_S)
    board.wake.clear()
    return board.asked()


def test_the_picture_appears_and_follows(board: Board, tab: Tab, tmp_path: Path) -> None:
    assert near(colour_at(tab, 0.5, 0.5), RED)
    board.tell(pixels=flat(BLUE))
    until(lambda: near(colour_at(tab, 0.5, 0.5), BLUE))
    assert near(colour_at(tab, 0.02, 0.02), BLUE)
    assert near(colour_at(tab, 0.98, 0.98), BLUE)
    tab.screenshot(tmp_path / "page.png")
    with Image.open(tmp_path / "page.png") as image:
        assert image.size == (1280, 800)
    assert tab.complaints() == []


def test_a_page_may_be_there_before_the_first_picture(browser: Browser) -> None:
    board = Board()
    with PageServer(board, 0) as page:
        tab = browser.open(page.url)
        tab.until("document.title.startsWith('smd') && document.getElementById('why').textContent")
        assert tab.text("#word") == "WAITING"
        assert "first picture" in tab.text("#stage")
        board.tell(busy="getting starter ready", wanted=1, next_seed=7)
        tab.until("document.getElementById('why').textContent === 'getting starter ready …'")
        assert [tab.text(f"#{name}") for name in ("version", "frame", "seed")] == ["–", "–", "7"]
        board.tell(pixels=flat(BLUE), scene="s.yaml", fresh=True)
        until(lambda: near(colour_at(tab, 0.5, 0.5), BLUE))
        assert tab.text("#word") == "FRESH"
        tab.close()


def test_the_overlay_comes_and_goes(board: Board, tab: Tab) -> None:
    tab.press("o")
    until(lambda: not near(colour_at(tab, 0.25, 0.1), RED))
    pale = colour_at(tab, 0.25, 0.1)
    assert all(min(a, b) <= s <= max(a, b) for s, a, b in zip(pale, RED, ORANGE, strict=True))
    assert near(colour_at(tab, 0.75, 0.1), RED)
    assert tab.text("#tags") == "fox"
    moved = painted("an owl", "owl", left=128)
    board.tell(painted=moved)
    until(lambda: not near(colour_at(tab, 0.75, 0.1), RED))
    assert near(colour_at(tab, 0.25, 0.1), RED)
    assert tab.text("#tags") == "owl"
    tab.click("#masks")
    until(lambda: near(colour_at(tab, 0.75, 0.1), RED))
    assert tab.complaints() == []


def test_the_legend_tells_names_prompts_and_colours(board: Board, tab: Tab) -> None:
    assert tab.text("#brushes").split() == ["fox", "a", "fox"]
    colour = "document.querySelector('#brushes rect').getAttribute('fill')"
    assert tab.evaluate(colour) == "#e69f00"
    board.tell(painted=painted("an owl", "owl"))
    tab.until("document.getElementById('brushes').textContent === 'owlan owl'")


@pytest.mark.parametrize(
    ("facts", "word", "why"),
    [
        ({}, "FRESH", "saved last"),
        ({"fresh": False, "wanted": 2}, "STALE", "on its way"),
        ({"fresh": False, "trouble": "s.yaml:3:5: error: no"}, "STALE", "last good"),
        ({"fresh": False, "preview": True, "wanted": 2}, "PREVIEW", "estimate"),
        ({"trouble": "s.yaml:3:5: error: no", "beside": True}, "FRESH", "saved last"),
        (
            {"trouble": "s.yaml:3:5: error: no", "beside": True, "fresh": False, "wanted": 2},
            "STALE",
            "on its way",
        ),
    ],
)
def test_the_mark_is_clear(
    board: Board, tab: Tab, facts: dict[str, Any], word: str, why: str
) -> None:
    board.tell(seconds=1.234, rate=12.34, frame=3, change="fox.png", **facts)
    tab.until("document.getElementById('change').textContent === 'fox.png'")
    assert tab.text("#word") == word
    assert why in tab.text("#why")
    assert tab.text("#version") == ("1 shown, 2 wanted" if "wanted" in facts else "1")
    figures = [tab.text(f"#{name}") for name in ("frame", "seed", "rate", "seconds", "size")]
    assert figures == ["3", "7", "12.3", "1.23 s", "256 × 256"]
    shown = tab.evaluate("document.getElementById('trouble').offsetHeight > 0")
    assert shown == ("trouble" in facts)
    if shown:
        assert "s.yaml:3:5: error: no" in tab.text("#trouble")
        goes_on = "The pictures go on, but this went wrong"
        heading = tab.evaluate("document.querySelector('#trouble h2').textContent")
        assert heading == (goes_on if "beside" in facts else "This stops a new picture")


def test_trouble_beside_the_first_picture_lets_it_come(browser: Browser) -> None:
    board = Board()
    with PageServer(board, 0) as page:
        tab = browser.open(page.url)
        board.tell(trouble="no room", beside=True, wanted=1)
        tab.until("document.getElementById('wrong').textContent === 'no room'")
        assert "on its way" in tab.text("#stage")
        assert "no picture yet" in tab.text("#why")
        board.tell(trouble="no room", beside=False)
        tab.until("document.getElementById('why').textContent === 'for a mended file'")
        tab.close()


@pytest.mark.parametrize(
    ("key", "command"),
    [(" ", Command.PLAY), ("s", Command.STEP), ("r", Command.SEED), ("k", Command.KEEP)],
)
def test_keys_and_buttons_ask(board: Board, tab: Tab, key: str, command: Command) -> None:
    tab.press(key)
    assert asked(board) == [command]
    tab.click(f"[data-ask={command.value}]")
    assert asked(board) == [command]
    tab.press(" ")  # the button that was clicked does not keep the space bar
    assert asked(board) == [Command.PLAY]
    tab.until("document.getElementById('said').textContent === 'Asked to pause.'")
    assert tab.complaints() == []


def test_the_button_says_what_it_will_do(board: Board, tab: Tab) -> None:
    assert tab.text("#play") == "Pause"
    board.tell(playing=False)
    tab.until("document.getElementById('play').innerText === 'Play'")


def test_a_button_with_the_focus_takes_the_space_bar(board: Board, tab: Tab) -> None:
    tab.evaluate("document.querySelector('[data-ask=keep]').focus()")
    tab.press(" ")
    assert asked(board) == [Command.KEEP]


def test_what_looks_like_markup_stays_text(board: Board, tab: Tab) -> None:
    board.tell(painted=painted(EVIL, EVIL), trouble=EVIL, change=EVIL, scene=EVIL, watched=(EVIL,))
    tab.until(f"document.getElementById('wrong').textContent === {EVIL!r}")
    tab.press("o")
    tab.until("document.getElementById('overlay').complete")
    time.sleep(0.3)
    for selector in ("h1", "#brushes b", "#brushes p", "#tags i", "#change"):
        assert tab.text(selector) == EVIL
    assert tab.evaluate("document.querySelectorAll('img').length") == 2
    assert tab.evaluate("document.title") != "hit"
    assert tab.complaints() == []


def test_injected_code_would_not_run(tab: Tab) -> None:
    tab.evaluate(f"void (document.getElementById('why').innerHTML = {EVIL!r})")
    tab.evaluate(
        "void (document.head.append(Object.assign(document.createElement('script'), "
        "{textContent: 'document.title = `hit`'})))"
    )
    time.sleep(0.3)
    assert tab.evaluate("document.title") != "hit"
    assert any("Content Security Policy" in complaint for complaint in tab.complaints())


def test_the_picture_fits_or_is_shown_as_large_as_it_is(board: Board, tab: Tab) -> None:
    assert box(tab, "#stage")[2:] > (500, 500)
    tab.press("1")
    assert box(tab, "#stage")[2:] == (256, 256)
    tab.press("1")
    board.tell(pixels=flat(BLUE, (512, 128)))
    until(lambda: near(colour_at(tab, 0.02, 0.5), BLUE))
    _, _, width, height = box(tab, "#stage")
    assert width / height == pytest.approx(4, rel=0.01)
    assert width == pytest.approx(box(tab, "#desk")[2], abs=1)


@pytest.mark.parametrize("width", [390, 320])
def test_a_phone_shows_all_of_it(board: Board, tab: Tab, width: int) -> None:
    board.tell(painted=painted("a " * 40 + "x" * 80, "n" * 60), change="folder/" * 20)
    tab.resize(width, 844)
    tab.until("document.getElementById('change').textContent.length > 99")
    assert tab.evaluate("document.documentElement.scrollWidth") == width
    left, _, wide, high = box(tab, "#stage")
    assert (left, wide, high) == (16, width - 32, width - 32)
    assert tab.evaluate("document.documentElement.scrollHeight > innerHeight")


def test_the_page_comes_back_when_smd_does(board: Board, browser: Browser) -> None:
    with PageServer(board, 0) as page:
        tab = browser.open(page.url)
        tab.until("document.title === 'FRESH · meadow.yaml'")
        port = int(page.url.rstrip("/").rpartition(":")[2])
    tab.until("document.getElementById('word').textContent === 'OFFLINE'")
    tab.press("k")
    tab.until("document.getElementById('said').textContent === 'smd does not answer.'")
    other = Board()
    other.tell(pixels=flat(BLUE), painted=painted(), scene="other.yaml", fresh=True)
    with PageServer(other, port):
        tab.until("document.title === 'FRESH · other.yaml'")
        until(lambda: near(colour_at(tab, 0.5, 0.5), BLUE))
        other.tell(pixels=flat(RED))
        until(lambda: near(colour_at(tab, 0.5, 0.5), RED))
        tab.close()


def streams() -> int:
    """How many connections there are."""
    return sum(thread.name == "page" for thread in threading.enumerate())


def test_a_page_that_nobody_sees_holds_no_stream(board: Board, tab: Tab) -> None:
    seen = "Object.defineProperty(document, 'hidden', {value: %s, configurable: true}), "
    seen += "document.dispatchEvent(new Event('visibilitychange'))"
    open_before = streams()
    tab.evaluate(seen % "true")
    until(lambda: streams() <= open_before - 2)
    board.tell(pixels=flat(BLUE))
    tab.evaluate(seen % "false")
    until(lambda: near(colour_at(tab, 0.5, 0.5), BLUE))


def test_a_closed_tab_leaves_no_connection(board: Board, browser: Browser) -> None:
    with PageServer(board, 0) as page:
        tab = browser.open(page.url)
        tab.until("document.title === 'FRESH · meadow.yaml'")
        until(lambda: streams() >= 2)
        tab.close()
        until(lambda: streams() <= 1)  # it may keep a silent one for its next request
    assert not streams()


def boxed(*boxes: tuple[int, int, int, int], size: tuple[int, int] = (256, 256)) -> PaintedScene:
    """A scene whose brushes paint boxes of (left, top, right, bottom)."""

    def brush(number: int, box: tuple[int, int, int, int]) -> Painted:
        paint = np.zeros((size[1], size[0]), np.float32)
        paint[box[1] : box[3], box[0] : box[2]] = 1
        return Painted(
            Brush(number, "a fox", (), name=f"the fox of number {number}"), laid_out(paint), ()
        )

    return PaintedScene(size, tuple(brush(n, b) for n, b in enumerate(boxes, 1)), None)


CROWDED = [
    *[(x, y, x + 12, y + 12) for x in (0, 244) for y in (0, 122, 244)],  # edges and corners
    *[(120 + k, 120 + k, 130 + k, 130 + k) for k in range(8)],  # on each other
]
SHOWN_TAGS = """[...document.querySelectorAll('#tags span')]
    .filter((tag) => tag.offsetWidth)
    .map((tag) => tag.getBoundingClientRect()).map((b) => [b.left, b.top, b.right, b.bottom])"""


@pytest.mark.parametrize("window", [(1280, 800), (390, 844), (700, 420)])
def test_names_stand_inside_the_picture_and_off_each_other(
    board: Board, tab: Tab, window: tuple[int, int]
) -> None:
    board.tell(painted=boxed(*CROWDED))
    tab.press("o")
    tab.until(f"document.querySelectorAll('#tags span').length === {len(CROWDED)}")
    tab.resize(*window)
    tab.until(f"innerWidth === {window[0]}")
    tab.evaluate("new Promise((done) => requestAnimationFrame(() => setTimeout(done, 50)))")
    names = tab.evaluate(SHOWN_TAGS)
    assert len(names) == len(CROWDED)
    left, top, width, height = box(tab, "#stage")
    for a in names:
        assert left - 0.5 <= a[0] < a[2] <= left + width + 0.5
        assert top - 0.5 <= a[1] < a[3] <= top + height + 0.5
    for a, b in itertools.combinations(names, 2):
        assert a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]
    assert tab.evaluate(SHOWN_TAGS) == names


def test_names_for_which_there_is_no_room_are_left_out(board: Board, tab: Tab) -> None:
    size = (64, 64)
    board.tell(pixels=flat(BLUE, size), painted=boxed(*[(0, 0, 64, 9 + k) for k in range(9)][::-1]))
    tab.press("1")
    tab.press("o")
    tab.until(f"{SHOWN_TAGS}.length > 0 && document.getElementById('stage').clientWidth === 64")
    time.sleep(0.2)
    names = tab.evaluate(SHOWN_TAGS)
    left, top, width, height = box(tab, "#stage")
    assert 0 < len(names) < 9
    assert all(left <= a[0] and a[2] <= left + width and a[3] <= top + height for a in names)


def test_outlines_may_be_seen_without_the_tint(tab: Tab) -> None:
    assert tab.evaluate("document.getElementById('tint').disabled")
    tab.press("o")
    until(lambda: not near(colour_at(tab, 0.25, 0.1), RED))
    tab.press("t")
    until(lambda: near(colour_at(tab, 0.25, 0.1), RED))
    line = [colour_at(tab, 0.5 + k / 1000, 0.1) for k in range(-4, 5)]
    assert any(all(abs(a - b) < 60 for a, b in zip(seen, ORANGE, strict=True)) for seen in line)
    assert tab.text("#tags") == "fox"
    tab.click("#tint")
    until(lambda: not near(colour_at(tab, 0.25, 0.1), RED))
    assert tab.complaints() == []


def test_warnings_are_shown_until_they_are_mended(board: Board, tab: Tab) -> None:
    assert tab.evaluate("document.getElementById('warnings').hidden")
    first = Warned("s.yaml:5:3", f"the mask is empty {EVIL}", "paint it white")
    board.tell(warnings=(first, Warned("s.yaml", "b")))
    tab.until("!document.getElementById('warnings').hidden")
    assert tab.text("#warned") == "2 warnings"
    shown = tab.text("#warnings")
    for part in ("s.yaml:5:3", f"the mask is empty {EVIL}", "hint: paint it white", "\nb"):
        assert part in shown
    board.tell(warnings=())
    tab.until("document.getElementById('warnings').hidden")
    assert not tab.evaluate("document.getElementById('warned').offsetHeight")


def test_the_background_stands_first_in_the_list(board: Board, tab: Tab) -> None:
    board.tell(background=("a meadow", "#102030"))
    tab.until("document.querySelectorAll('#brushes li').length === 2")
    assert tab.text("#brushes li").split("\n\n") == ["background", "a meadow", "#102030"]
    fill = "document.querySelector('#brushes rect').getAttribute('fill')"
    assert tab.evaluate(fill) == "#102030"
    board.tell(background=("photo.jpg",))
    tab.until(f"{fill} === 'none'")
    assert tab.text("#brushes li").split("\n\n") == ["background", "photo.jpg"]


def test_while_paused_the_figures_are_the_shown_pictures(board: Board, tab: Tab) -> None:
    board.tell(frame=3, next_seed=7)
    tab.until("document.getElementById('seed').textContent === '7'")
    board.tell(playing=False, fresh=False, wanted=2, next_seed=99)
    tab.until("document.getElementById('seed').textContent === '7 shown, 99 next'")
    assert tab.text("#version") == "1 shown, 2 wanted"
    assert tab.text("#frame") == "3"
    assert tab.text("#why") == "paused: Play or Step paints the newest"


def test_answers_are_shown_and_not_repeated(board: Board, browser: Browser) -> None:
    board.tell(notice="an old one", notices=3)
    with PageServer(board, 0) as page:
        tab = browser.open(page.url)
        tab.until("document.title === 'FRESH · meadow.yaml'")
        assert tab.text("#said") == ""
        tab.press("k")
        tab.until("document.getElementById('said').textContent === 'Asked to keep this picture.'")
        board.tell(notice="Kept as a/b-0001.png.", notices=4)
        tab.until("document.getElementById('said').textContent === 'Kept as a/b-0001.png.'")
        tab.close()


def test_a_saved_picture_is_named_after_what_it_shows(
    board: Board, tab: Tab, browser: Browser, tmp_path: Path
) -> None:
    browser.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    board.tell(pixels=flat(BLUE), frame=12, scene='mea"dow/ü')
    tab.until("document.getElementById('frame').textContent === '12'")
    tab.click("a.button[download]")
    saved = tmp_path / "mea_dow_ü-seed7-frame0012.png"
    until(saved.exists)
    until(lambda: saved.stat().st_size > 0)
    with Image.open(saved) as picture:
        assert picture.getpixel((5, 5)) == BLUE


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_words_can_be_read_on_every_ground(board: Board, tab: Tab, scheme: str) -> None:
    """Contrast of at least 4.5 (WCAG 2.1, AA) of all texts on the ground behind them."""
    tab._call(
        "Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}]
    )
    board.tell(trouble="s.yaml:3:5: error: no", warnings=(Warned("s.yaml:1:1", "odd", "so"),))
    tab.until("!document.getElementById('warnings').hidden")
    places = ["#why", "#word", "#warned", "#wrong", "#trouble h2", "h1", "dt", "dd", "h2"]
    places += ["#brushes p", "button", "button kbd", "#tint", "#told code", "#told p", "summary"]
    for place in places:
        found = tab.evaluate(CONTRAST % place)
        assert found >= 4.5, (scheme, place, found)


CONTRAST = """(() => {
  const numbers = (colour) => colour.match(/[0-9.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
    .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, k) => sum + v * [0.2126, 0.7152, 0.0722][k], 0);
  let at = document.querySelector('%s');
  const text = light(numbers(getComputedStyle(at).color));
  const bare = (e) => (numbers(getComputedStyle(e).backgroundColor)[3] ?? 1) === 0;
  while (bare(at)) at = at.parentElement;
  const ground = light(numbers(getComputedStyle(at).backgroundColor));
  return (Math.max(text, ground) + 0.05) / (Math.min(text, ground) + 0.05);
})()"""
