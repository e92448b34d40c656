"""A scene's bytes: every encoding that YAML 1.2 has, and what is none of them."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image

from smd_cli.errors import SceneError
from smd_cli.scene.text.source import MAX_BYTES, read_source

TEXT = "background: ein Füchslein 🦊\r\nseed: 3\n"
CODECS = ["utf-8", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"]


@pytest.mark.parametrize("mark", ["\ufeff", ""])
@pytest.mark.parametrize("codec", CODECS)
def test_every_encoding_of_yaml_is_read(codec: str, mark: str, tmp_path: Path) -> None:
    content = (mark + TEXT).encode(codec)
    (tmp_path / "s.yaml").write_bytes(content)
    assert read_source(str(tmp_path / "s.yaml")).text == TEXT
    assert read_source("-", io.BytesIO(content)).text == TEXT


@pytest.mark.parametrize(
    ("content", "place", "message"),
    [
        ("seed: 1\nbackground: café\n".encode("cp1252"), (2, 16), "UTF-8 text: byte 0xE9"),
        ("a: “x”\n".encode("cp1252"), (1, 4), "UTF-8 text: byte 0x93"),
        (b"a: \xc3", (1, 4), "UTF-8 text: byte 0xC3"),
        (b"a: \xed\xa0\x80\n", (1, 4), "UTF-8 text: byte 0xED"),
        ("ü: 1\r\nb: ".encode() + b"\xff", (2, 4), "UTF-8 text: byte 0xFF"),
        ("\ufeffa: 1\nb: x".encode("utf-16-le") + b"\x00", (2, 5), "UTF-16-LE text: byte 0x00"),
        (b"\xff\xfea\0\0\xd8b\0", (1, 2), "UTF-16-LE text: byte 0x00"),
        (b"\x89PMG\r\n\x1a\n", (1, 1), "UTF-8 text: byte 0x89"),
    ],
)
def test_other_bytes_have_a_line_a_column_and_a_hint(
    content: bytes, place: tuple[int, int], message: str
) -> None:
    with pytest.raises(SceneError) as caught:
        read_source("-", io.BytesIO(content))
    (problem,) = caught.value.problems
    assert (problem.place.line, problem.place.column) == place
    assert problem.message == f"this is not {message}"
    assert "UTF-8" in problem.hint


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP", "TIFF"])
def test_a_picture_is_no_scene(kind: str) -> None:
    picture = io.BytesIO()
    Image.effect_noise((64, 64), 99).save(picture, kind)
    picture.seek(0)
    with pytest.raises(SceneError) as caught:
        read_source("-", picture)
    assert caught.value.problems[0].message == "this is a picture, not a scene file"


def test_so_is_one_that_is_larger_than_any_scene() -> None:
    with pytest.raises(SceneError) as caught:
        read_source("-", io.BytesIO(b"\x89PNG" + bytes(MAX_BYTES)))
    assert caught.value.problems[0].message == "this is a picture, not a scene file"
