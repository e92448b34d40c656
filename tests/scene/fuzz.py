"""Scenes that were damaged at random, and what reading and checking one may cost.

Runs in a process of its own, ``python tests/scene/fuzz.py SEED COUNT``, whose peak of memory is
then that of the scenes alone. Prints every failure, and at the end how many cases went well.
"""

from __future__ import annotations

import io
import os
import random
import re
import sys
import time
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path

from smd_cli.errors import Problem, SceneError, UsageError
from smd_cli.scene.keys.schema import KEYS
from smd_cli.scene.overrides import Override, parse_override
from smd_cli.scene.parse import load_scene
from smd_cli.work.check import check_scene

MAX_SECONDS, MAX_BYTES, MAX_MEMORY_MB = 2.0, 2048, 500
FOLDER = Path(__file__).parents[2] / "scenes"
EVERY_KEY = """\
model:
  name: starter
  revision: main
  vae: madebyollin/taesd
  transformer: flux.safetensors
  lora: [{path: owner/name, weight: 0.5, revision: "a b"}, owner/name/file.safetensors]
  clip_skip: 1
size: [256, 192]            # or 256x192
wrap: both
seed: 2024
frames: 12
defaults: {negative: "blurry, cropped", alpha: 0.9, blur: 8, strength: 0.9, repaint: 1}
prompt: {prefix: 'photo of ', suffix: ", watercolour"}
background:
  prompt: a meadow under a blue sky
  negative: dark
  color: [255, 128, 0]      # or image: photo.jpg
  profile: srgb
  caption_model: owner/blip
brushes:
  - &fox
    name: fox
    prompt: a red fox
    mask: {image: masks/fox.png, channel: luma, invert: false, fit: stretch, turn: 8,
           scale: 1.5, move: {0: [0, 0], "50%": [9, 5], ease: in-out}}
    negative: ""
    alpha: 1.0
    blur: 8
    strength: 0.95
    repaint: 0.5
    seed: 7
    enabled: true
  - {<<: *fox, name: Eule, prompt: "an owl \\u2014 \\ud83e\\udd89", mask: masks/owl.png}
  - prompt: |
      a house
      by the sea
    mask:
      - {rect: [0, 10%, 30, 25.5%], invert: true}
      - {ellipse: [5%, 40%, 40%, 50%]}
      - polygon: [[0, 0], [50%, 10], [20, 90%], [-5, 1e2]]
      - {image: masks/owl.png, at: [10, 5%], color: red, tolerance: 255}
      - {image: masks/town.kra, layer: owl, repeat: hold}
sampler:
  method: stream
  preset: auto
  timesteps: [999, 759, 499, 259]   # or steps: 5
  mask_type: semi-continuous
  cover: 0.3
  bootstrap: {steps: 1, mix: 1.0, leak: 0}
  guidance: {type: self, scale: 1.4, delta: 0.5}
  noise: walk
  preaverage: true
  windows: 192
  blend_after: bootstrap
  noise_between: fresh
  refine: 1
  similarity: 0.98
output: {fps: 12, loop: true, quality: 90, audio: drop}
"""
SCENES = (EVERY_KEY, *(path.read_text("utf-8") for path in sorted(FOLDER.glob("*.yaml"))))

_VALUES = ["null", "true", "no", "[]", "{}", "[1, 2]", "[[[1]]]", "{a: b}", "'text'", '"x', "''"]
_VALUES += ["3", "1.5", '"\\ud800"', "!foo 1", "!!int x", "*nope", "&a x", "*fox", "-", "|", ">"]
_VALUES += ["2024-01-01", "0x10", "50%", "~", "a: b", "# no", "@x", "%x", "`x`", "{a, b}", "<<"]
_VALUES += ["[masks/fox.png, masks/owl.png]", "{<<: *fox}", "{rect: [0, 0, 9, 9]}", "a, b", "“x”"]
_VALUES += ["https://huggingface.co/a/b", "file:///x", "../../x.png", "masks", "x" * 300, "\\\\"]
_NUMBERS = ["0", "-1", "1e308", "-1e308", "1e-320", "1e999", ".nan", ".inf", "-.inf", "9" * 5000]
_NUMBERS += ["9223372036854775807", "9223372036854775808", "0.1", "1000", "1_000", "0o17", "-0.0"]
_NUMBERS += ["100000", "100001", "63", "64", "999", "+1", "1.", ".5", "1e", "99999%", "-50%"]
_SIGNS = ["\ud800", "\udfff", "\x00", "\x07", "\x1b[31m", "\x85", "\u2028", "\ufeff", "\u00a0"]
_SIGNS += [
    "\u202e",
    "：",
    "，",
    "“",
    "🦊",
    "\U000e0001",
    "e\u0301",
    "\r",
    "\t",
    "\n",
    "\\",
    "'",
    '"',
]
_YAML = ["!", "!!python/object/apply:os.system [x]", "!<tag:yaml.org,2002:str> ", "&fox ", "*fox "]
_YAML += ["<<: *fox", "? ", ": ", "- ", "---\n", "...\n", "%YAML 1.2\n", "{", "}", "[", "]", ","]
_TOKEN = re.compile(r"\s+|[\w.%/-]+|.")
_VALUE = re.compile(r"(?<=[:\[,-] )[^\s,\[\]{}:]+")
_NUMBER = re.compile(r"\d[\d.]*")


def _replaced(text: str, pattern: re.Pattern[str], new: str, rng: random.Random) -> str:
    """The text with one match of the pattern replaced."""
    found = [*pattern.finditer(text)]
    if not found:
        return new + text
    match = rng.choice(found)
    return text[: match.start()] + new + text[match.end() :]


def _inserted(text: str, new: str, rng: random.Random) -> str:
    at = rng.randrange(len(text) + 1)
    return text[:at] + new + text[at:]


def _tokens(text: str, rng: random.Random) -> str:
    """Tokens left out, doubled, swapped or moved."""
    tokens = _TOKEN.findall(text)
    for _ in range(rng.randint(1, 3)):
        i, j = (rng.randrange(len(tokens)) for _ in range(2))
        kind = rng.randrange(4)
        if kind == 0:
            del tokens[i : i + rng.randint(1, 4)]
        elif kind == 1:
            tokens[i:i] = tokens[i : i + rng.randint(1, 8)]
        elif kind == 2:
            tokens[i], tokens[j] = tokens[j], tokens[i]
        else:
            tokens.insert(i, tokens.pop(j))
        tokens = tokens or ["x"]
    return "".join(tokens)


def _lines(text: str, rng: random.Random) -> str:
    """Lines shifted, swapped, doubled, joined or left out."""
    lines = text.splitlines(keepends=True) or [text]
    i, j = (rng.randrange(len(lines)) for _ in range(2))
    kind = rng.randrange(6)
    if kind == 0:
        lines[i] = rng.choice([" ", "   ", "\t", "\u00a0"]) + lines[i]
    elif kind == 1:
        lines[i] = lines[i][rng.randint(1, 4) :]
    elif kind == 2:
        lines[i], lines[j] = lines[j], lines[i]
    elif kind == 3:
        lines[i:i] = lines[i : j + 1]
    elif kind == 4:
        lines[i] = lines[i].rstrip("\n")
    else:
        del lines[i]
    return "".join(lines)


def _types(text: str, rng: random.Random) -> str:
    return _replaced(text, _VALUE, rng.choice(_VALUES), rng)


def _numbers(text: str, rng: random.Random) -> str:
    return _replaced(text, _NUMBER, rng.choice(_NUMBERS), rng)


def _signs(text: str, rng: random.Random) -> str:
    return _inserted(text, rng.choice(_SIGNS) * rng.choice([1, 1, 3]), rng)


def _yaml(text: str, rng: random.Random) -> str:
    return _inserted(text, rng.choice(_YAML), rng)


def _keys(text: str, rng: random.Random) -> str:
    """A key that belongs elsewhere, or one of a section's own once more."""
    key = rng.choice([key for keys in KEYS.values() for key in keys])
    return _replaced(text, re.compile(r"\b\w+(?=: )"), key, rng)


def _blanks(text: str, rng: random.Random) -> str:
    """A blank left out."""
    return _replaced(text, re.compile(r"(?<=[:,-]) "), "", rng)


def _truncated(text: str, rng: random.Random) -> str:
    return text[: rng.randrange(len(text) + 1)]


def _deep(text: str, rng: random.Random) -> str:
    """A value inside many brackets."""
    deep, (opened, closed) = rng.choice([5, 31, 33, 3000]), rng.choice(["[]", "{}", ("{a: ", "}")])
    return _replaced(text, _VALUE, opened * deep + "1" + closed * rng.choice([deep, 0]), rng)


def _long(text: str, rng: random.Random) -> str:
    """Something repeated until it is absurd."""
    room = rng.choice([2_000, 20_000, 100_000])
    start = rng.randrange(len(text) + 1)
    end = min(len(text), start + rng.choice([1, 3, 10, 60, 300]))
    part = text[start:end] or "x"
    kind = rng.randrange(4)
    if kind == 0:
        return text[:start] + part * (room // len(part)) + text[end:]
    if kind == 1:
        return _replaced(text, _VALUE, rng.choice(["x", "9", "[", "a ", "é"]) * (room // 2), rng)
    if kind == 2:
        return text + "".join(f"key{n}: {n}\n" for n in range(room // 12))
    item = rng.choice(["[0, 1], ", "{}, ", "{rect: [0, 0, 9, 9]}, ", "a.png, ", "{prompt: a}, "])
    return _replaced(text, _VALUE, f"[{item * (room // len(item))}]", rng)


_MUTATORS: tuple[Callable[[str, random.Random], str], ...] = (
    *(_tokens, _lines, _types, _numbers, _signs, _yaml, _keys, _blanks),
    *(_truncated, _deep, _long),
)
_WEIGHTS = (8, 6, 10, 8, 6, 6, 4, 2, 2, 2, 1)


def _damaged(content: bytes, rng: random.Random) -> bytes:
    """Bytes flipped, left out or put in; or another encoding."""
    kind, at = rng.randrange(4), rng.randrange(len(content) + 1)
    if kind == 0 and at < len(content):
        return content[:at] + bytes([content[at] ^ 1 << rng.randrange(8)]) + content[at + 1 :]
    if kind == 1:
        return content[:at] + content[at + rng.randint(1, 3) :]
    if kind == 2:
        return content[:at] + rng.randbytes(rng.randint(1, 3)) + content[at:]
    codec = rng.choice(["utf-16", "utf-16-be", "utf-32", "latin-1", "utf-7"])
    return content.decode("utf-8", "replace").encode(codec, "replace")


def mutated(rng: random.Random) -> bytes:
    """A scene with one to four kinds of damage."""
    text = rng.choice(SCENES)
    for mutate in rng.choices(_MUTATORS, _WEIGHTS, k=rng.choice([1, 1, 2, 3, 4])):
        text = mutate(text[:200_000] or "x", rng)
    content = text.encode("utf-8", "surrogatepass")
    return _damaged(content, rng) if rng.random() < 0.15 else content


def options(rng: random.Random) -> list[Override]:
    """Now and then a few options of `--set`."""
    sections = [
        "",
        "",
        "brushes.fox.",
        "brushes.1.",
        "brushes.3.",
        "brushes.9.",
        "brushes..",
        "a.b.",
    ]
    sections += [f"{name}." for name in KEYS] + ["sampler.guidance.", "brushes.fox.mask."]
    count = rng.randint(1, 3) if rng.random() < 0.2 else 0
    keys = [key for keys in KEYS.values() for key in keys]
    values = [*_VALUES, *_NUMBERS, *_YAML, *_SIGNS]
    return [
        parse_override(f"{rng.choice(sections)}{rng.choice(keys)}={rng.choice(values)}")
        for _ in range(count)
    ]


def told(problem: Problem) -> str:
    """What is wrong with what is said; an empty string where nothing is."""
    place = problem.place
    known = place.file == "<stdin>" or place.file.startswith("--set ")
    if not known or (place.line > 0) != (place.column > 0):
        return f"no address: {problem}"
    shown = str(problem)
    if len(shown.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        return f"{len(shown)} signs: {shown[:200]}"
    if not shown.isprintable() and re.search(r"[^\t\n\x20-\U0010ffff]", shown):
        return f"steers the terminal: {shown!r}"
    return ""


def outcome(content: bytes, overrides: list[Override]) -> str:
    """What went wrong with a case; an empty string where nothing did."""
    began = time.process_time()
    try:
        report = check_scene(load_scene("-", overrides, stdin=io.BytesIO(content)))
        problems = report.warnings
        assert report.lines()
        assert report.as_json()
    except SceneError as wrong:
        problems = wrong.problems
        if not problems:
            return "an error without a word"
    except Exception:
        return traceback.format_exc()
    seconds = time.process_time() - began
    if seconds > MAX_SECONDS:
        return f"{seconds:.1f} s"
    return next(filter(None, map(told, problems)), "")


def peak_mb() -> float:
    """The most memory that this process has held, in MB."""
    if sys.platform == "win32":
        import psutil

        return float(psutil.Process().memory_info().peak_wset / 1e6)
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return float(peak / 1e6 if sys.platform == "darwin" else peak / 1e3)


def main(seed: int, count: int) -> int:
    """Run `count` cases; gives 1 where one failed."""
    os.chdir(FOLDER)
    warnings.simplefilter("error")
    failed, peak = 0, peak_mb()
    for case in range(count):
        rng = random.Random(seed * 1_000_000 + case)
        content = mutated(rng)
        try:
            found = outcome(content, options(rng))
        except UsageError as wrong:
            found = f"no option: {wrong}"
        if not found and peak_mb() > max(peak, MAX_MEMORY_MB):
            peak = peak_mb()
            found = f"{peak:.0f} MB"
        if found:
            failed += 1
            print(f"seed {seed} case {case}: {found}")
    print(f"{count - failed} of {count} went well, {peak_mb():.0f} MB")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2])))
