"""Films made of arrays by the ffmpeg that imageio brings, and how the moving things in scenes/ were
made: `python tests/clips.py` paints them anew.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import numpy.typing as npt
from PIL import Image

Pixels = npt.NDArray[np.uint8]

EXACT = ("-c:v", "libx264rgb", "-qp", "0", "-preset", "ultrafast")
"""Coding that keeps every level: what is decoded is what went in."""
TONE = ("-f", "lavfi", "-i", "sine=frequency=440:sample_rate=44100")


def ffmpeg(*arguments: str, given: bytes = b"") -> str:
    """Run ffmpeg, and give what it says."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-y", *arguments]
    return subprocess.run(command, input=given, capture_output=True, check=True).stderr.decode()


def write_film(
    path: Path | str,
    frames: Sequence[Pixels],
    *coding: str,
    fps: str = "12",
    sound: Sequence[str] = (),
) -> None:
    """A film of frames (H, W, 3), as long as its sound is cut to."""
    height, width = frames[0].shape[:2]
    pictures = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", fps]
    heard = ["-shortest", "-c:a", "aac"] if sound else []
    data = b"".join(frame.tobytes() for frame in frames)
    ffmpeg(*pictures, "-i", "-", *sound, *(coding or EXACT), *heard, str(path), given=data)


def decoded(path: Path | str, width: int, height: int) -> Pixels:
    """All frames (N, H, W, 3) of a film, as ffmpeg gives them at once."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", str(path)]
    command += ["-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    done = subprocess.run(command, capture_output=True, check=True)
    return np.frombuffer(done.stdout, np.uint8).reshape(-1, height, width, 3)


def noise_frames(count: int, width: int = 64, height: int = 48) -> list[Pixels]:
    """Frames that are all different: a light patch that wanders over coloured noise."""
    rng = np.random.default_rng(7)
    frames = []
    for number in range(count):
        frame = rng.integers(0, 120, (height, width, 3), dtype=np.uint8)
        left = number * 5 % (width - 16)
        frame[8:24, left : left + 16] = (250, 240, number * 9 % 256)
        frames.append(frame)
    return frames


# What scenes/ shows


def sea(count: int = 24, side: int = 256) -> Iterator[Pixels]:
    """Waves under an evening sky; the last frame leads to the first."""
    y, x = np.mgrid[0:side, 0:side] / side
    horizon = 0.46
    depth = np.maximum(y - horizon, 0.002)
    for number in range(count):
        turn = 2 * np.pi * number / count
        sky = _between((86, 142, 214), (255, 214, 170), np.clip(y / horizon, 0, 1) ** 1.6)
        sun = np.hypot(x - 0.72, y - 0.3)
        sky = _mixed(sky, (255, 244, 214), np.exp(-((sun / 0.13) ** 2)) * 0.85)
        sky = _mixed(sky, (255, 255, 240), np.clip((0.062 - sun) * 120, 0, 1))
        waves = np.sin(11 / (depth + 0.06) + 6 * np.sin(3 * x / (depth + 0.2)) - turn * 2)
        waves += 0.6 * np.sin(23 * x / (depth + 0.25) + 17 / (depth + 0.08) + turn * 3)
        light = np.clip(0.5 + 0.2 * waves * np.minimum(depth * 9, 1), 0, 1)
        water = _between((22, 70, 120), (120, 190, 214), light * (0.55 + 0.45 * y))
        glitter = np.exp(-(((x - 0.72) / (0.05 + depth * 0.35)) ** 2)) * (waves > 0.75)
        water = _mixed(water, (255, 236, 196), glitter * 0.7)
        edge = np.clip((y - horizon) * side, 0, 1)[..., None]
        yield np.rint(sky * (1 - edge) + water * edge).astype(np.uint8)


def flames(count: int = 12, side: int = 256) -> Iterator[Pixels]:
    """Masks (H, W) of a fire that flickers; the last leads to the first."""
    y, x = np.mgrid[0:side, 0:side] / side
    up = np.clip((0.9 - y) / 0.72, 0, 1)
    for number in range(count):
        turn = 2 * np.pi * number / count
        sway = 0.07 * up**1.5 * np.sin(turn + 5 * up) + 0.03 * up * np.sin(2 * turn + 9 * up)
        tall = 1 - 0.12 * (1 + np.sin(turn + 1))
        half = 0.2 * np.sqrt(np.clip(1 - up / tall, 0, 1)) * np.clip(up * 9, 0, 1) ** 0.5
        inside = (half - np.abs(x - 0.5 - sway)) * side
        yield np.rint(np.clip(inside + 0.5, 0, 1) * 255 * (half > 0)).astype(np.uint8)


def _between(
    low: Sequence[int], high: Sequence[int], share: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    return _mixed(np.broadcast_to(np.array(low, float), (*share.shape, 3)), high, share)


def _mixed(
    colours: npt.NDArray[np.float64], over: Sequence[int], share: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    return colours + (np.array(over) - colours) * share[..., None]


def paint_anew(folder: Path) -> None:
    """Write the film and the masks that the scenes in a folder name."""
    surf = ("-f", "lavfi", "-i", "anoisesrc=color=brown:amplitude=0.4:seed=5,tremolo=f=1:d=0.6")
    (folder / "films").mkdir(exist_ok=True)
    coding: tuple[str, ...] = (
        "-c:v",
        "libx264",
        "-crf",
        "24",
        "-preset",
        "slow",
        "-pix_fmt",
        "yuv420p",
    )
    coding += ("-vf", "scale=out_color_matrix=bt709:out_range=tv", "-colorspace", "bt709")
    coding += ("-color_primaries", "bt709", "-color_trc", "bt709", "-b:a", "48k")
    write_film(folder / "films" / "sea.mp4", [*sea()], *coding, sound=surf)
    (folder / "masks" / "fire").mkdir(exist_ok=True)
    for number, mask in enumerate(flames()):
        Image.fromarray(mask).save(folder / "masks" / "fire" / f"{number:02d}.png", optimize=True)


if __name__ == "__main__":
    paint_anew(Path(sys.argv[1]) if sys.argv[1:] else Path(__file__).parent.parent / "scenes")
