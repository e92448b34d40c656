"""Bundles from strangers: nothing leads out of the folder."""

from __future__ import annotations

import base64
import io
import zipfile
from pathlib import Path

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from smd_cli.bundle import CHUNK, unpack
from smd_cli.errors import SmdError


def picture(folder: Path, text: str) -> Path:
    info = PngInfo()
    info.add_text(CHUNK, text)
    Image.new("RGB", (8, 8)).save(folder / "p.png", pnginfo=info)
    return folder / "p.png"


def bundled(name: str) -> str:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as bundle:
        bundle.writestr(zipfile.ZipInfo(name), "text")
    return base64.b64encode(stream.getvalue()).decode()


@pytest.mark.parametrize("name", ["../out.yaml", "/tmp/out.yaml", "a/../../out.yaml", "..\\out"])
def test_names_that_lead_out_are_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(SmdError, match="leads out of the folder"):
        unpack(picture(tmp_path, bundled(name)), tmp_path / "into")
    assert not (tmp_path / "into").exists()
    assert not (tmp_path / "out.yaml").exists()


@pytest.mark.parametrize("text", ["%%%", base64.b64encode(b"no zip").decode()])
def test_a_broken_bundle_is_told(text: str, tmp_path: Path) -> None:
    with pytest.raises(SmdError, match="its bundle is broken"):
        unpack(picture(tmp_path, text), tmp_path / "into")


def test_an_honest_one_is_written(tmp_path: Path) -> None:
    [path], _ = unpack(picture(tmp_path, bundled("masks/s.yaml")), tmp_path / "into")
    assert path == tmp_path / "into" / "masks" / "s.yaml"
    assert path.read_text() == "text"
