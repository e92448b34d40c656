"""Reading mappings: every key once, every problem told. The schema is the code that asks."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NoReturn, ParamSpec, TypeVar

from smd_cli.errors import Problem, SceneError
from smd_cli.scene.keys.schema import elsewhere
from smd_cli.scene.text.flaws import glued_colon, odd_character, quoting
from smd_cli.scene.text.nodes import BROKEN, Node
from smd_cli.units import shown

T = TypeVar("T")
S = TypeVar("S")
P = ParamSpec("P")
Reader = Callable[[Node], T]  # raises SceneError with every problem of its node

_MAX_HINTED = 10  # unknown keys of one section that are compared with the known ones


def wrong(node: Node, message: str, hint: str = "") -> SceneError:
    """The error of one problem at `node`; of none where it was complained about before."""
    return SceneError([] if node.value is BROKEN else [Problem(node.place, message, hint)])


def reject(node: Node, what: str, hint: str = "") -> NoReturn:
    """Say that `node` must be `what`, and what it is."""
    hint = _slip(node) or hint
    if node.value is None:
        raise wrong(node, f"{node.label} has no value: it must be {what}", hint)
    raise wrong(node, f"{node.label} must be {what}, not {_found(node)}", hint)


def _slip(node: Node) -> str:
    """A hint for what YAML makes of a slip: a comment, a null, a bare key, odd quotes."""
    if isinstance(node.value, str) and node.typed is None:
        odd = odd_character(node.value)
        comma = "a line ends without a comma" if node.value.endswith(",") else ""
        return odd[2] if odd else comma
    if node.value is not None:
        return ""
    if node.bare:
        return node.bare
    if node.written == "~":
        return "a ~ alone is YAML's word for nothing: quote it, or write ~/ and a path"
    place = node.place
    begins = place.source[place.column - 1 - place.skipped :].lstrip()[:1]
    comment = "an unquoted # begins a comment"
    return {"#": comment, "&": quoting("&"), ",": quoting(",")}.get(begins, "")


def _found(node: Node) -> str:
    if isinstance(node.value, str):
        return f"the text {shown(node.value)}"
    if isinstance(node.value, tuple):
        return f"a list of {len(node.value)}"
    return "a mapping" if isinstance(node.value, Mapping) else shown(node.written, quote=False)


def closest(word: str, legal: Iterable[str]) -> str | None:
    """The legal name that `word` probably meant."""
    by_lower = {name.lower(): name for name in legal}
    close = difflib.get_close_matches(word.lower()[:60], by_lower, n=1, cutoff=0.6)
    return by_lower[close[0]] if close else None


def name_hint(word: str, legal: Sequence[str], introduction: str) -> str:
    """A hint: the closest legal name, or all of them behind `introduction`."""
    close = closest(word, legal)
    if close:
        return f"did you mean {close}?"
    return f"{introduction}: {', '.join(legal)}" if legal else ""


class Notes:
    """Collects problems, so that one reading tells them all; raises them when its block ends.

    It raises also where something failed without a word, as it was complained about before.
    """

    def __init__(self, problems: Iterable[Problem] = ()) -> None:
        self.problems = list(problems)
        self._failed = False

    def __enter__(self) -> Notes:
        return self

    def __exit__(self, kind: type[BaseException] | None, raised: object, trace: object) -> None:
        if raised is None and (self.problems or self._failed):
            raise SceneError(self.problems)

    def attempt(self, default: S, read: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | S:
        """What `read` gives; `default` where it fails, which is noted."""
        try:
            return read(*args, **kwargs)
        except SceneError as error:
            self._note(error)
            return default

    def each(self, items: Iterable[S], read: Callable[[S], T]) -> tuple[T, ...]:
        """What `read` makes of every item, without those that are wrong."""
        made: list[T] = []
        for item in items:
            try:
                made.append(read(item))
            except SceneError as error:
                self._note(error)
        return tuple(made)

    def _note(self, error: SceneError) -> None:
        self.problems.extend(error.problems)
        self._failed = True


def _ascii(key: str) -> str:
    """A key without what only looks like a quote or a blank."""
    return "".join(c for c in key[:60] if c.isascii())


def _no_mapping(node: Node) -> str:
    """A hint for a text that was hardly meant as one."""
    text = node.value if isinstance(node.value, str) else ""
    odd = odd_character(text)
    if odd:
        return f"{odd[1]} is in it: {odd[2]}"
    equals = re.match(r"\s*(\w{1,30})\s*=", text)
    return glued_colon(text) or (f"write {equals[1]}: and the value" if equals else "")


class Section(Notes):
    """A mapping while it is read, called `who` in messages::

        with Section(node, "the output") as keys:
            return Output(fps=keys.get("fps", number(0.1, 240), 12.0))

    When the block ends it notes the keys that nobody asked for and the needed ones that are
    missing (unless a misspelt one probably meant them), and raises all problems at once.
    """

    def __init__(self, node: Node, who: str) -> None:
        super().__init__()
        if not isinstance(node.value, Mapping):
            reject(node, "a mapping (key: value)", _no_mapping(node))
        self._node, self._who = node, who
        self._asked: dict[str, None] = {}  # a set in order
        self._needed: list[str] = []
        self._refused: set[str] = set()

    def __enter__(self) -> Section:
        return self

    def __exit__(self, kind: type[BaseException] | None, raised: object, trace: object) -> None:
        if raised is None:
            self._close()
        super().__exit__(kind, raised, trace)

    def get(self, key: str, read: Reader[T], default: S) -> T | S:
        """What `read` makes of the key's value; `default` where it is not written or wrong."""
        self._asked[key] = None
        child = self._node.children.get(key)
        return default if child is None else self.attempt(default, read, child)

    def need(self, key: str, read: Reader[T], stand_in: T) -> T:
        """The same for a required key. The stand-in never leaves: the block raises at its end."""
        self._needed.append(key)
        return self.get(key, read, stand_in)

    def refuse(self, key: str, message: str, hint: str = "") -> None:
        """Say that a key does not belong here, where it is written."""
        self._refused.add(key)
        if key in self._node.children:
            self.problems.append(Problem(self._node.children[key].key, message, hint))

    def exclusive(self, *keys: str) -> list[str]:
        """Which of `keys` are written; more than one is noted, at the last."""
        found = [key for key in self._node.children if key in keys]
        if len(found) > 1:
            message = f"{self._who} takes only one of {' and '.join(found)}"
            self.problems.append(Problem(self._node.children[found[-1]].key, message))
        return found

    def need_one_of(self, keys: Sequence[str]) -> str | None:
        """The one of `keys` that is written; None, noted, where there is none or more."""
        self._asked |= dict.fromkeys(keys)
        found = self.exclusive(*keys)
        if not found and not self._meant(keys):
            self._missing(f"one of {', '.join(keys)}")
        return found[0] if len(found) == 1 else None

    def _close(self) -> None:
        unknown = self._unknown()
        meant = {key: self._meaning(key) for key in unknown[:_MAX_HINTED]}
        for key in unknown:
            child = self._node.children[key]
            hint = self._hint(child, key, meant[key]) if key in meant else ""
            self.problems.append(Problem(child.key, f"unknown key {shown(key)}", hint))
        for key in self._needed:
            if key not in self._node.children and key not in meant.values():
                self._missing(f"a {key}")

    def _unknown(self) -> list[str]:
        """The keys that nobody asked for, in their order."""
        known = self._asked.keys() | self._refused
        return [key for key in self._node.children if key not in known]

    def _meaning(self, key: str) -> str | None:
        """The key here that an unknown one is probably a misspelling of."""
        bare = self._node.children[key].bare
        known = elsewhere(key, self._asked)
        if (bare and not glued_colon(key)) or known:
            return None
        return closest(_ascii(key).partition(":")[0], self._asked)

    def _hint(self, child: Node, key: str, meant: str | None) -> str:
        odd, glued = odd_character(key), glued_colon(key)
        if odd:
            return f"{odd[1]} is in it: {odd[2]}"
        if glued or child.bare:
            pair = re.match(r"(\w+)[ =]+(.{1,40})", key)
            known = pair and pair[1] in self._asked
            return f"write {pair[1]}: {pair[2]}" if pair and known else glued or child.bare
        if key == "<<":
            return "write << without quotes to merge a mapping in"
        if meant:
            return f"did you mean {meant}?"
        return elsewhere(key, self._asked) or f"the keys here are: {', '.join(self._asked)}"

    def _meant(self, keys: Sequence[str]) -> bool:
        """Whether an unknown key is probably a misspelt one of `keys`."""
        return any(self._meaning(key) in keys for key in self._unknown()[:_MAX_HINTED])

    def _missing(self, what: str) -> None:
        self.problems.append(Problem(self._node.place, f"{self._who} needs {what}"))
