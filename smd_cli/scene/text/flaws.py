"""What is wrong with a text that is no YAML, said where the slip stands and with what to write."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import NamedTuple

import yaml
from yaml.composer import ComposerError

_LOOK_BACK = 20  # lines above the place where a parser stumbles
_LONG = 2000  # signs of a line that are searched


_ENDINGS = {
    ",": "a line ends without a comma; quote the text if the comma belongs to it",
    "]": "no [ is open here: take it away, or quote the text",
    "}": "no { is open here: take it away, or quote the text",
}
_KEY = r"^[ \t]*(?:-[ \t]+)*"
_GLUED = re.compile(_KEY + r"[A-Za-z_][\w-]*:(?=[^\s:/\\])")
_VALUE = re.compile(r"(?:^[ ]*(?:-[ ]+)*|[{,\[][ ]*)[\w.-]+[ ]*:[ \t]+(?=\S)")
_GLUED_DASH = re.compile(r"^[ ]*-(?=[A-Za-z_]\w*:\s)")
_COMMENT = re.compile(r":[ \t]+(?=#)")
_TAB = re.compile(r"^ *(?=\t)")
_BLANK = re.compile(_KEY + r"[^\x00-\x7f]|:[^\x00-\x7f]|^[\w -]+[^\x00-\x7f]")
_BLANKS = "\xa0\u1680\u202f\u205f\u3000\ufeff" + "".join(map(chr, range(0x2000, 0x200C)))
_ODD = {
    **dict.fromkeys(_BLANKS, "write plain spaces"),
    "：": "write a plain ':' with a blank (a space) after the colon",
    "，": "write a plain ','",
    **dict.fromkeys("“”„‟‘’‚‛«»", "write straight quotes, \" or '"),
}


_COMMA = "quote the text: a comma ends it inside braces"
_DECIMAL = re.compile(r"([-+]?[0-9]+),([0-9]+)([ ]*%?)")
_THOUSANDS = re.compile(r"[-+]?[1-9][0-9]{0,2}(,[0-9]{3})+")


class UnreadableError(Exception):
    """The text is no YAML that we take; `index` is the character where it goes wrong."""

    def __init__(self, message: str, index: int, hint: str = "") -> None:
        super().__init__(message)
        self.message, self.index, self.hint = message, index, hint


def odd_character(text: str) -> tuple[int, str, str] | None:
    """The first character that only looks like one of YAML's: its index, name, and a hint."""
    for index, character in enumerate(text[:1000]):
        if character in _ODD:
            name = unicodedata.name(character, "character").lower()
            return index, f"a {name} (U+{ord(character):04X})", _ODD[character]
    return None


def glued_colon(text: str) -> str:
    """A hint for ``prompt:a fox``; an empty string for any other text."""
    if not _GLUED.match(text):
        return ""
    key, _, value = text.strip(" \t-").partition(":")
    return f"put a blank (a space) after the colon: {key}: {value[:40]}".rstrip()


def decimal_comma(text: str) -> str:
    """A hint for ``0,5``, which is no number; an empty string for any other text."""
    found = _DECIMAL.fullmatch(text)
    return thousands(text) or (f"write {found[1]}.{found[2]}{found[3]}" if found else "")


def thousands(text: str) -> str:
    """A hint for ``1,000``, which may be a thousand or one; an empty string for any other text."""
    if not _THOUSANDS.fullmatch(text):
        return ""
    return f"a number takes no comma: write {text.replace(',', '')}, or a point before decimals"


def no_colon(name: str, value: str, key: str) -> str:
    """A hint for a key that stands in braces without a colon.

    `value` stands right before its comma, and is that of the key `name`; both may be empty.
    """
    number = decimal_comma(f"{value},{key}")
    if not number:
        return _COMMA
    if not name or thousands(f"{value},{key}"):
        return "a comma ends a number inside braces; a list stands in brackets: [1, 2]"
    return f"{number.replace('write ', f'write {name}: ')}, or [{value}, {key}] if a list is meant"


def quoting(character: str) -> str:
    """The hint for a text that begins with a character of YAML's own."""
    return f"quote the text if it shall begin with {character}"


class _Sentence(NamedTuple):
    """What libyaml or PyYAML say → what we say; `at_start`: where the construct began."""

    pattern: str
    message: str
    hint: str = ""
    at_start: bool = False


_SENTENCES = (
    _Sentence(
        "mapping values are not allowed",
        "a ':' cannot stand here",
        "quote a text that contains ': ', and check the indentation",
    ),
    _Sentence(
        "expected <block end>|did not find expected key|did not find expected '-'",
        "this does not fit what stands before it",
        "check the indentation and the quotes",
    ),
    _Sentence(
        "could not find expected ':'",
        "this key has no ': ' after it",
        "put a blank (a space) after the colon",
        True,
    ),
    _Sentence(
        "end of stream|document separator|document indicator",
        "this quote is never closed",
        "end the text with the same quote",
        True,
    ),
    _Sentence(
        r"expected ',' or '\]'",
        "this list is not closed: a ',' or ']' is missing",
        "close it, or quote the text if it shall begin with [",
        True,
    ),
    _Sentence(
        "expected ',' or '}'",
        "this mapping is not closed: a ',' or '}' is missing",
        "close it, or quote the text if it shall begin with {",
        True,
    ),
    _Sentence(
        "cannot start any token|alphabetic or numeric|comment or (a )?line break"
        "|chomping or indentation|expected the node content|expected node content",
        "this character cannot begin a value",
        "quote the text",
    ),
    _Sentence(
        "(entries|keys) are not allowed",
        "this cannot stand here",
        "quote the text, and check the indentation",
    ),
    _Sentence(
        "unknown escape character",
        "this backslash escape is unknown",
        "quote the text with ' instead of \"",
    ),
    _Sentence(
        "invalid Unicode character|hexdecimal|escape sequence of",
        "this is no character",
        "quote the text with ' instead of \"",
    ),
    _Sentence(
        "undefined alias",
        "no anchor of this name stands before this alias",
        quoting("*"),
    ),
    _Sentence("nesting depth", "this is nested too deep"),
    _Sentence("second occurrence", "this anchor was given before"),
    _Sentence(
        "but found another document", "a second document starts here", "a scene is one document"
    ),
    _Sentence("tag handle|tag", "this YAML tag is not allowed", quoting("!")),
)


def explained(flaw: yaml.MarkedYAMLError, text: str) -> UnreadableError:
    """A parser's complaint as a plain sentence, at the slip where one is seen."""
    said = flaw.problem or flaw.context or "unreadable"
    mark = flaw.problem_mark or flaw.context_mark
    index = mark.index if mark else 0
    begun = flaw.context_mark.index if flaw.context_mark else index
    slip = None if isinstance(flaw, ComposerError) else _slip(text, index, said)
    if slip:
        return slip
    sentence = next((s for s in _SENTENCES if re.search(s.pattern, said)), None)
    if sentence is None:
        return UnreadableError(f"this is not valid YAML: {said}", index)
    return _unreadable(sentence, text, index, begun)


def _unreadable(sentence: _Sentence, text: str, index: int, begun: int) -> UnreadableError:
    """The sentence where it helps: a sign on the line that it spoils tells more than its start."""
    found, same_line = text[index : index + 1], "\n" not in text[begun:index]
    if sentence.at_start and same_line and found in (":", "[", "{"):
        hint = f"quote the text that holds {found}"
        return UnreadableError(f"a '{found}' cannot stand here", index, hint)
    if not sentence.at_start and found in _ENDINGS:
        return UnreadableError(f"a '{found}' cannot stand here", index, _ENDINGS[found])
    return UnreadableError(sentence.message, begun if sentence.at_start else index, sentence.hint)


def _slip(text: str, index: int, said: str) -> UnreadableError | None:
    """The commonest slip in the line where the parser stumbled, or in what led to it."""
    lines = list(_lines_back(text, index))
    for start, line in lines:
        found = _slip_in(line, above=start + len(line) < index)
        if found:
            column, message, hint = found
            return UnreadableError(message, start + column, hint)
    start, line = lines[0]
    found = _bad_beginning(line, index - start)
    if not found and "mapping values" in said:
        found = _too_deep(line, index - start)
        return _no_colon(lines) or _at(start, found)
    return _at(start, found)


def _at(start: int, found: tuple[int, str, str] | None) -> UnreadableError | None:
    return UnreadableError(found[1], start + found[0], found[2]) if found else None


def _no_colon(lines: list[tuple[int, str]]) -> UnreadableError | None:
    """The line that a text of several lines begins with, where it should be a key with its value.

    `lines` go back from the ':' that cannot stand, up to the last line with one in its place.
    """
    below = len(lines) > 1 and lines[-1][1].rstrip().endswith(":")
    start, line = lines[-2 if below else -1]
    key = re.match(_KEY + r"([A-Za-z_]\w*)(?:[ =]|$)", line)
    if len(lines) < 2 + below or ":" in line or not key:
        return None
    return UnreadableError(
        "this key has no ': ' after it", start + key.start(1), f"write {key[1]}: …"
    )


def _lines_back(text: str, index: int) -> Iterator[tuple[int, str]]:
    """The line of `index` and those above it, up to one that holds a complete ``key: value``."""
    end = text.find("\n", index)
    end = len(text) if end < 0 else end
    for count in range(_LOOK_BACK):
        start = text.rfind("\n", 0, end) + 1
        line = text[start:end].rstrip("\r")[:_LONG]
        yield start, line
        if start == 0 or (count and re.search(r":\s|:$", line)):
            return
        end = start - 1


def _slip_in(line: str, above: bool) -> tuple[int, str, str] | None:
    """The column of a slip in a line (`above`: one that spoils a later line), and what to do."""
    glued = glued_colon(line)
    if glued:
        column = line.index(":", len(line) - len(line.lstrip(" \t-")))
        return column, "a blank is missing after this ':'", glued
    dash = _GLUED_DASH.match(line)
    if dash:
        return dash.end() - 1, "a blank is missing after this '-'", "put a blank after the dash"
    tab = _TAB.match(line)
    if tab and not above:
        return tab.end(), "a tab cannot stand here", "indent with spaces"
    odd = odd_character(line) if _BLANK.search(line) else None
    if odd:
        return odd[0], f"{odd[1]} stands here", odd[2]
    comment = _COMMENT.search(line)
    if above and comment and not _closed(line[: comment.end()]):
        return comment.end(), "a comment begins here, inside brackets", quoting("#")
    return None


def _bad_beginning(line: str, end: int) -> tuple[int, str, str] | None:
    """Where the last value before `end` begins as no plain text may, or goes on after a quote."""
    starts = [match.end() for match in _VALUE.finditer(line) if match.end() <= end]
    if not starts:
        return None
    start, first = starts[-1], line[starts[-1]]
    if first in "'\"" and start < end:
        return _after_quote(line, start, end)
    closed = first in "[{" and _closed(line[start:end])
    if first in "*&!%@`#>|-?," or closed:
        return start, f"a text cannot begin with {first} unless it is quoted", quoting(first)
    inside = re.search(r":(\s|$)", line[start : end + 2])
    if inside and first not in "[{":
        if re.match(r"\w+:[ ]+([\[{]|[\d.]+\s*$)", line[start:]):
            return start, "a mapping here needs braces", f"{{{line[start:][:60].strip()}}}"
        return start + inside.start(), "a ':' cannot stand here", "quote the text: it contains ': '"
    return None


def _too_deep(line: str, end: int) -> tuple[int, str, str] | None:
    """A key that stands further to the right than the one it follows."""
    if line[end : end + 1] != ":" or not re.fullmatch(r" +[\w-]+ *", line[:end]):
        return None
    hint = "the keys of one mapping stand in one column: check the indentation"
    return len(line) - len(line.lstrip(" ")), "this key stands too far to the right", hint


def _after_quote(line: str, start: int, end: int) -> tuple[int, str, str] | None:
    """A text that goes on behind its closing quote, as in ``'the fox's tail'``."""
    quote = line[start]
    if line.find(quote, start + 1, end) < 0:
        return None
    hint = "quote the text with \" instead of ', or write the apostrophe twice"
    other = "quote the text as a whole: with ' if it contains \""
    return end, "the text ended at its closing quote", hint if quote == "'" else other


def _closed(text: str) -> bool:
    """Whether as many brackets close in a text as open."""
    return sum(text.count(c) for c in "[{") == sum(text.count(c) for c in "]}")
