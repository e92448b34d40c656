"""Pictures from anyone: what is fine is written whole, all else is a sentence and nothing is."""

from __future__ import annotations

import base64
import io
import os
import shlex
import stat
import struct
import sys
import warnings
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from conftest import Smd
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from smd_cli.errors import SmdError
from smd_cli.output.atomic import write_whole
from smd_cli.output.chunks import SIGNATURE, chunk
from smd_cli.work.unpack import unpack

SCENE = "size: 64x64\nbackground: blue sky\n"
Entries = list[tuple[str, bytes]]


def picture(texts: Mapping[str, str], name: str = "p.png") -> Path:
    """A small PNG with some texts in the current folder."""
    info = PngInfo()
    for key, text in texts.items():
        info.add_itxt(key, text)
    Image.new("RGB", (8, 8)).save(name, pnginfo=info)
    return Path(name)


def zipped(entries: Entries, how: int = zipfile.ZIP_STORED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as bundle, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of names that are there twice
        for name, content in entries:
            info = zipfile.ZipInfo("x")
            info.filename = name  # as it is: ZipInfo would cut it at a NUL
            bundle.writestr(info, content, how)
    return stream.getvalue()


def bundled(packed: bytes) -> Path:
    return picture({"smd:bundle": base64.b64encode(packed).decode()})


def with_file(name: str) -> bytes:
    return zipped([("s.yaml", SCENE.encode()), (name, b"mask")])


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    return here


def everything(folder: Path) -> list[tuple[str, bytes]]:
    """All there is in and about the folder, with contents."""
    found = sorted(path for path in folder.parent.rglob("*"))
    return [(str(p), p.read_bytes() if p.is_file() else b"") for p in found]


def refused(smd: Smd, folder: Path, *arguments: str) -> str:
    """What `smd unpack` says of a picture that it writes nothing of."""
    before = everything(folder)
    result = smd(["unpack", *arguments])
    assert result.code in (1, 2)
    assert result.out == ""
    assert everything(folder) == before
    assert "bug in smd" not in result.err
    assert "Traceback" not in result.err
    assert result.err.startswith(("error: ", "usage: ", "Usage: "))
    assert all(sign.isprintable() or sign == "\n" for sign in result.err)
    assert len(result.err) < 1500
    return result.err


NAMES = {
    "absolute": "/tmp/out.png",
    "up": "../out.png",
    "up within": "a/../../out.png",
    "only up": "..",
    "backslashes": "..\\out.png",
    "backslash": "a\\out.png",
    "drive": "C:/out.png",
    "drive, relative": "C:out.png",
    "drive in a folder": "a/C:out.png",
    "share": "//server/share/out.png",
    "share, backslashes": "\\\\server\\share\\out.png",
    "stream": "s.yaml:hidden",
    "nul": "a\0.png",
    "escape": "\x1b]0;title\x07.png",
    "c1": "a\x9b31m.png",
    "newline": "a\nb.png",
    "right to left": "a\u202egnp.exe",
    "device": "CON",
    "device with suffix": "masks/nul.png",
    "device with blanks": "aux .png",
    "port": "com1.txt",
    "trailing dot": "a.png.",
    "trailing blank": "masks /a.png",
    "dot": ".",
    "dot within": "a/./b.png",
    "folder": "masks/",
    "nothing": "",
    "two slashes": "a//b.png",
    "wildcard": "a*.png",
    "deep": "d/" * 3000 + "x.png",
    "long": "x" * 300 + ".png",
    "long in all": "/".join(["x" * 200] * 20),
    "twice": "s.yaml",
    "twice on Windows": "S.YAML",
    "file and folder": "s.yaml/x.png",
}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_names_that_lead_out_or_that_some_system_cannot_have(
    name: str, smd: Smd, folder: Path
) -> None:
    bundled(with_file(name))
    assert "what it holds is broken" in refused(smd, folder, "p.png", "-o", "into")


def same_name_composed() -> bytes:
    scene = ("s.yaml", SCENE.encode())
    return zipped([scene, ("u\u0308.png", b"1"), ("\xfc.png", b"2")])


def encrypted() -> bytes:
    packed = bytearray(with_file("m.png"))
    packed[6] |= 1
    packed[packed.rindex(b"PK\1\2") + 8] |= 1
    return bytes(packed)


def unknown_method() -> bytes:
    packed = bytearray(with_file("m.png"))
    at = packed.rindex(b"PK\1\2")
    packed[at + 10 : at + 12] = struct.pack("<H", 99)
    return bytes(packed)


def corrupt_stream() -> bytes:
    packed = bytearray(zipped([("s.yaml", SCENE.encode() * 50)], zipfile.ZIP_DEFLATED))
    packed[40:60] = b"\xff" * 20
    return bytes(packed)


def wrong_sum() -> bytes:
    return with_file("m.png").replace(b"mask", b"task")


def lies_about_size() -> bytes:
    packed = bytearray(zipped([("s.yaml", SCENE.encode() * 50)], zipfile.ZIP_DEFLATED))
    at = packed.rindex(b"PK\1\2")
    packed[at + 24 : at + 28] = struct.pack("<I", 7)
    return bytes(packed)


def link() -> bytes:
    stream = io.BytesIO(zipped([("s.yaml", SCENE.encode())]))
    info = zipfile.ZipInfo("masks")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(stream, "a") as bundle:
        bundle.writestr(info, "/etc")
    return stream.getvalue()


def bomb() -> bytes:
    packed = bytearray(zipped([("s.yaml", SCENE.encode()), ("m.bmp", bytes(99))]))
    at = packed.rindex(b"PK\1\2")
    packed[at + 24 : at + 28] = struct.pack("<I", 300 << 20)
    return bytes(packed)


def many() -> bytes:
    return zipped([("s.yaml", SCENE.encode()), *((f"{n}", b"") for n in range(10_001))])


BUNDLES: dict[str, tuple[Callable[[], bytes], str]] = {
    "no bytes": (lambda: b"", "zip is damaged"),
    "no zip": (lambda: b"no zip at all", "zip is damaged"),
    "empty": (lambda: zipped([]), "it is empty"),
    "cut": (lambda: with_file("m.png")[:-30], "zip is damaged"),
    "head alone": (lambda: with_file("m.png")[:50], "zip is damaged"),
    "cut at the front": (lambda: with_file("m.png")[20:], "damaged"),
    "encrypted": (encrypted, "encrypted"),
    "unknown method": (unknown_method, "unknown method"),
    "lzma": (lambda: zipped([("s.yaml", b"a: b")], zipfile.ZIP_LZMA), "unknown method"),
    "corrupt stream": (corrupt_stream, "damaged"),
    "wrong sum": (wrong_sum, "damaged"),
    "lies about its size": (lies_about_size, "damaged"),
    "a link": (link, "no regular file"),
    "bomb": (bomb, "at most 256 MiB"),
    "many files": (many, "at most 10000"),
    "no scene": (lambda: zipped([("m.png", b"mask")]), "no scene"),
    "scene last": (lambda: zipped([("m.png", b""), ("s.yaml", b"")]), "no scene"),
    "huge scene": (lambda: zipped([("s.yaml", bytes(2 << 20))]), "1024 KiB"),
    "scene of bytes": (lambda: zipped([("s.yaml", b"\xff\xfe\0")]), "UTF-8"),
    "one name composed and not": (same_name_composed, "twice"),
}


@pytest.mark.parametrize("kind", BUNDLES)
def test_broken_and_hostile_bundles(kind: str, smd: Smd, folder: Path) -> None:
    make, sentence = BUNDLES[kind]
    bundled(make())
    assert sentence in refused(smd, folder, "p.png", "-o", "into")


TEXTS = {
    "base64": {"smd:bundle": "%%%"},
    "base64, not ASCII": {"smd:bundle": "ü"},
    "frame of words": {"smd:frame": "one of two"},
    "frame of half": {"smd:frame": "3"},
    "frame of none": {"smd:frame": "0 of 0"},
    "frame below": {"smd:frame": "-1 of 3"},
    "frame of digits": {"smd:frame": f"{'9' * 5000} of 1"},
    "frame of other digits": {"smd:frame": "٣ of ٤"},
    "seed": {"smd:seed": "random"},
    "schedule": {"smd:schedule": "auto; rm -rf /"},
    "windows": {"smd:windows": "192; rm -rf /"},
    "machine": {"smd:machine": "cpu fp32 --set seed=1"},
    "command": {"smd:command": "models pull"},
    "changes, no JSON": {"smd:changes": "["},
    "changes, deep": {"smd:changes": "[" * 100_000},
    "changes of numbers": {"smd:changes": "[1, 2]"},
    "changes of other things": {"smd:changes": '[{"key": "a", "value": [{"b": "c"}]}]'},
    "changes of nothing": {"smd:changes": '[{"key": "a", "value": [{}]}]'},
    "change that leads out": {"smd:changes": '[{"key": "a", "value": [{"inside": "../x"}]}]'},
    "change without a key": {"smd:changes": '[{"key": " ", "value": []}]'},
    "versions": {"smd:versions": "torch 2\ndiffusers 1"},
    "model": {"smd:model": "starter"},
    "files, no JSON": {"smd:files": "["},
    "files of numbers": {"smd:files": "[[1, 2]]"},
    "files of three": {"smd:files": '[["a", "b", "c"]]'},
    "files, deep": {"smd:files": "[" * 100_000},
    "weights": {"smd:weights": "{}"},
    "weights of numbers": {"smd:weights": "[1]"},
}


@pytest.mark.parametrize("texts", TEXTS.values(), ids=TEXTS)
def test_malformed_texts(texts: Mapping[str, str], smd: Smd, folder: Path) -> None:
    picture({"smd:scene": SCENE, **texts})
    refused(smd, folder, "p.png", "-o", "into")


def test_a_picture_whose_text_is_a_bomb(smd: Smd, folder: Path) -> None:
    import smd_cli.output.png_text as png_text

    body = b"smd:scene\0\0" + zlib.compress(bytes(4 << 20))
    Path("p.png").write_bytes(SIGNATURE + chunk(b"zTXt", body) + chunk(b"IEND", b""))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(png_text, "MOST_TEXT_BYTES", 1 << 20)
        assert "larger than 1 MiB" in refused(smd, folder, "p.png", "-o", "into")


def flipped() -> bytes:
    whole = bytearray(picture({"smd:scene": SCENE}).read_bytes())
    whole[whole.index(b"blue sky")] ^= 1
    return bytes(whole)


def cut() -> bytes:
    whole = picture({"smd:scene": SCENE}).read_bytes()
    return whole[: whole.index(b"blue sky")]


def endless() -> bytes:
    return SIGNATURE + struct.pack(">I4s", 2**32 - 1, b"tEXt") + b"smd:scene\0"


def no_keyword() -> bytes:
    return SIGNATURE + chunk(b"iTXt", b"") + chunk(b"zTXt", b"x\0") + chunk(b"tEXt", b"")


FILES: dict[str, tuple[Callable[[], bytes], str]] = {
    "nothing": (lambda: b"", "not a picture"),
    "text": (lambda: b"size: 64x64\n", "not a picture"),
    "signature alone": (lambda: SIGNATURE, "holds no scene"),
    "JPEG": (lambda: b"\xff\xd8\xff\xe0" + bytes(20), "PNG and APNG pictures alone"),
    "GIF": (lambda: b"GIF89a" + bytes(20), "PNG and APNG pictures alone"),
    "WebP": (lambda: b"RIFF\0\0\0\0WEBP", "PNG and APNG pictures alone"),
    "MP4": (lambda: b"\0\0\0\x18ftypisom", "PNG and APNG pictures alone"),
    "WebM": (lambda: b"\x1aE\xdf\xa3" + bytes(20), "PNG and APNG pictures alone"),
    "no text": (lambda: picture({}).read_bytes(), "holds no scene"),
    "text of others": (lambda: picture({"parameters": "a fox"}).read_bytes(), "holds no scene"),
    "damaged": (flipped, "text is damaged"),
    "cut": (cut, "text is cut off"),
    "endless": (endless, "text is cut off"),
    "no keyword": (no_keyword, "holds no scene"),
}


@pytest.mark.parametrize("kind", FILES)
def test_files_that_hold_no_scene(kind: str, smd: Smd, folder: Path) -> None:
    make, sentence = FILES[kind]
    content = make()
    Path("p.png").write_bytes(content)
    assert sentence in refused(smd, folder, "p.png", "-o", "into")


@pytest.mark.parametrize(
    "name", [".", "..", "/", "", "gone.png", "p.png/x", "a\x1b[31m", "x" * 999]
)
def test_what_is_no_file(name: str, smd: Smd, folder: Path) -> None:
    picture({"smd:scene": SCENE})
    refused(smd, folder, name)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no FIFOs here")
def test_a_fifo_is_not_waited_for(smd: Smd, folder: Path) -> None:
    os.mkfifo("p.png")
    assert "not a regular file" in refused(smd, folder, "p.png")


def test_a_picture_of_any_size_is_read_by_its_text_alone() -> None:
    header = chunk(b"IHDR", struct.pack(">2I5B", 60_000, 60_000, 8, 2, 0, 0, 0))
    text = chunk(b"tEXt", b"smd:scene\0" + SCENE.encode())
    Path("p.png").write_bytes(SIGNATURE + header + text + chunk(b"IDAT", b"?"))
    assert unpack(Path("p.png")).paths[0].read_text() == SCENE


# What stands in the way of ``into/s.yaml`` and ``into/masks/a.png``: each place, and what it is.
PLACES = {
    "the folder is a file": ("into", "file"),
    "a file": ("into/masks/a.png", "file"),
    "a folder": ("into/masks/a.png", "folder"),
    "a file where a folder is to be": ("into/masks", "file"),
    "a link out": ("into/masks", "../other"),
    "a link up": ("into/masks", ".."),
    "a link to nothing": ("into/s.yaml", "gone"),
    "a folder's link to nothing": ("into/masks", "gone"),
}


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
@pytest.mark.parametrize(("place", "what"), PLACES.values(), ids=PLACES)
def test_what_stands_in_the_way_stays(place: str, what: str, smd: Smd, folder: Path) -> None:
    (folder / "other").mkdir()
    (folder / place).parent.mkdir(parents=True, exist_ok=True)
    if what == "file":
        (folder / place).write_text("mine")
    elif what == "folder":
        (folder / place).mkdir()
    else:
        (folder / place).symlink_to(what)
    bundled(with_file("masks/a.png"))
    refused(smd, folder, "p.png", "-o", "into")


def test_what_cannot_be_written_to_its_end_leaves_nothing(
    smd: Smd, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import smd_cli.work.unpack as module

    def full(path: Path, content: bytes, **options: bool) -> None:
        if path.name == "a.png":
            path.parent.mkdir(parents=True)
            raise SmdError("No space left on device")
        write_whole(path, content, clobber=options["clobber"], make_folder=options["make_folder"])

    monkeypatch.setattr(module, "write_whole", full)
    bundled(with_file("masks/a.png"))
    assert "No space left" in refused(smd, folder, "p.png", "-o", "new/into")


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_takes_no_files(smd: Smd, folder: Path) -> None:
    (folder / "into").mkdir(mode=0o500)
    bundled(with_file("masks/a.png"))
    refused(smd, folder, "p.png", "-o", "into")


def test_an_honest_one_is_written_beside_what_is_there() -> None:
    Path("into/masks").mkdir(parents=True)
    Path("into/masks/other.png").write_text("mine")
    paths = unpack(bundled(with_file("masks/a.png")), Path("into")).paths
    assert [path.as_posix() for path in paths] == ["into/s.yaml", "into/masks/a.png"]
    assert [path.read_text() for path in paths] == [SCENE, "mask"]
    assert Path("into/masks/other.png").read_text() == "mine"


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_the_folder_itself_may_be_a_link() -> None:
    Path("real").mkdir()
    Path("into").symlink_to("real")
    unpack(bundled(with_file("masks/a.png")), Path("into"))
    assert Path("real/masks/a.png").read_text() == "mask"


def test_the_folder_is_named_after_the_picture() -> None:
    packed = with_file("a.png")
    assert unpack(bundled(packed)).paths[0] == Path("p/s.yaml")
    Path("p.png").rename("kept")
    assert unpack(Path("kept")).paths[0] == Path("kept-unpacked/s.yaml")


@pytest.mark.parametrize("stem", ["s", "two words", "ü", "-x", "CON", "a'b", "x" * 250])
def test_a_rendered_picture_gives_its_scene(stem: str, smd: Smd) -> None:
    texts = {"smd:scene": SCENE, "smd:seed": "7", "smd:frame": "0 of 1"}
    path = picture(texts, f"{stem}.png")
    result = smd(["unpack", "-o", "-into", "--", str(path)])
    assert result.code == 0
    [scene] = result.out.splitlines()
    assert Path(scene).read_text() == SCENE
    command = shlex.split(result.err.partition("with: ")[2])
    assert smd(["check", *command[2:3]]).code == 0
    assert command[3:5] == ["--seed", "7"]


@pytest.mark.parametrize(
    ("name", "options"),
    [("x" * 250, []), ("p.png", ["-o", "x" * 256]), ("p.png", ["-o", "ü" * 128])],
)
def test_a_folder_whose_name_is_too_long_is_refused(
    name: str, options: list[str], smd: Smd
) -> None:
    picture({"smd:scene": SCENE}, "q.png").rename(name)
    result = smd(["unpack", name, *options])
    assert result.code == 2
    assert "255 are allowed" in result.err


@pytest.mark.parametrize("compressed", [False, True])
def test_texts_that_other_programs_wrote_again(compressed: bool) -> None:
    info = PngInfo()
    info.add_text("smd:scene", SCENE, zip=compressed)
    info.add_itxt("smd:seed", "7", zip=compressed)
    Image.new("RGB", (8, 8)).save("p.png", pnginfo=info)
    assert "--seed 7" in unpack(Path("p.png")).notes[-1]


def test_files_that_are_not_inside_are_told() -> None:
    scene = "background: {image: b.png}\nbrushes: [{prompt: x, mask: [m.png, {image: ../n.png}]}]\n"
    picture({"smd:scene": scene, "smd:overrides": "brushes.1.prompt=y"})
    notes = unpack(Path("p.png")).notes
    assert "not inside the picture" in notes[0]
    assert notes[0].endswith(": m.png, ../n.png, b.png")
    assert notes[1] == (
        "before you paint it again, copy m.png to p/m.png, ../n.png to n.png, b.png to p/b.png"
    )
    assert notes[2].startswith("paint it again with: smd render p/p.yaml")


def test_files_that_are_there_need_not_be_copied() -> None:
    scene = "brushes: [{prompt: x, mask: [/no/such/m.png, ../n.png]}]\n"
    picture({"smd:scene": scene})
    Path("n.png").touch()
    [_, copy, _] = unpack(Path("p.png"), Path("q")).notes
    assert copy == "before you paint it again, copy /no/such/m.png to its place"
    picture({"smd:scene": scene.replace("/no/such/m.png, ", "")})
    here, _ = unpack(Path("p.png"), Path("r")).notes
    assert here == "not inside the picture, and found where the scene names them: ../n.png"


@pytest.mark.parametrize(
    ("texts", "said", "command"),
    [
        ({"smd:command": "compare"}, "", "smd compare p/p.yaml --seed 0 --dtype fp32 -o again.png"),
        ({"smd:preview": "slot 2 of 5"}, "an estimate on the way", "-n 1 -o again.png"),
        ({"smd:mixed": "two scenes"}, "mixes two scenes", "-n 1 -o again.png"),
        ({"smd:machine": "cuda fp16"}, "", "--device cuda --dtype fp16 --schedule"),
        ({"smd:machine": "cpu fp32 low-memory"}, "", "--dtype fp32 --low-memory --schedule"),
        ({"smd:machine": "cuda:1 bf16 compile"}, "", "--dtype bf16 --compile --schedule"),
        ({"smd:windows": "192"}, "", "p/p.yaml --set sampler.windows=192 --seed 0"),
        ({"smd:frame": "7 of 3"}, "", "-n 3 --frame 7 -o again.png"),
        ({"smd:schedule": "stream:5"}, "", "--schedule stream:5"),
        ({"smd:changes": '[{"key": "model", "value": [{"weights": "gone"}]}]'}, ": gone", "=gone"),
    ],
)
def test_what_is_said_of_a_picture(texts: Mapping[str, str], said: str, command: str) -> None:
    picture({"smd:scene": SCENE, **texts})
    *notes, last = unpack(Path("p.png")).notes
    assert said in "".join(notes)
    assert command in last


@pytest.mark.skipif(sys.platform != "linux", reason="names are bytes there alone")
def test_a_name_that_is_no_text(smd: Smd) -> None:
    name = os.fsdecode(b"\xff\xfe.png")
    picture({"smd:scene": SCENE}).rename(name)
    assert "bug in smd" not in smd(["unpack", name]).err
    assert smd(["unpack", name, "-o", "into"]).code == 0


def test_older_kept_pictures_name_their_files_in_lines() -> None:
    packed = zipped([("s.yaml", SCENE.encode()), ("elsewhere/1-a.png", b"mask")])
    lines = (
        "brushes.1.mask=elsewhere/1-a.png\nseed=random\nbrushes.2.mask={image: elsewhere/1-a.png}"
    )
    coded = base64.b64encode(packed).decode()
    picture({"smd:bundle": coded, "smd:overrides": lines, "smd:seed": "9"})
    command = shlex.split(unpack(Path("p.png")).notes[-1].partition("with: ")[2])
    assert command[3:9] == [
        "--set",
        "brushes.1.mask=p/elsewhere/1-a.png",
        "--set",
        'brushes.2.mask={image: "p/elsewhere/1-a.png"}',
        "--seed",
        "9",
    ]


@pytest.mark.skipif(sys.platform == "win32", reason="another shell")
def test_a_command_never_steers_the_terminal(smd: Smd) -> None:
    changes = '[{"key": "brushes.1.prompt", "value": [{"text": "a\\u001b[31m\\u202e\'b"}]}]'
    picture({"smd:scene": SCENE, "smd:changes": changes})
    said = smd(["unpack", "p.png"]).err
    assert said.strip().isprintable()
    assert r"$'brushes.1.prompt=a\U0000001b[31m\U0000202e\U00000027b'" in said
