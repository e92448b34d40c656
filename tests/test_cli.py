"""The command line as a whole: what it writes, says, returns and refuses."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT, TINY, Smd
from PIL import Image
from safetensors.numpy import save_file

from smd_cli.__main__ import run
from smd_cli.cli.environment import words
from smd_cli.work import request

SCENE = f"""\
model: {TINY}
size: 64x64
background: a meadow
brushes:
  - {{name: fox, prompt: a fox, mask: {{rect: [8, 8, 32, 32]}}}}
  - {{name: owl, prompt: an owl, mask: {{ellipse: [30, 24, 30, 30]}}}}
defaults: {{blur: 0}}
sampler: {{steps: 2}}
"""


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A scene over the tiny random model, in the current folder."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "s.yaml"
    path.write_text(SCENE, encoding="utf-8")
    return path


def schedule(path: str) -> str:
    with Image.open(path) as picture:
        return str(picture.info["smd:schedule"])


@pytest.mark.parametrize(
    ("size", "frames", "taken"), [("64x64", 2, "stream"), ("64x64", 1, "single")]
)
def test_frames_share_network_calls(
    size: str, frames: int, taken: str, smd: Smd, scene: Path
) -> None:
    assert scene.exists()
    options = ["-n", f"{frames}", "--size", size, "-v", "-o", "%d.png"]
    said = smd(["render", "s.yaml", *options]).err
    assert schedule("0.png") == taken
    assert f"s: schedule {taken}, " in said


@pytest.mark.slow
def test_heavy_frames_are_painted_one_by_one_on_a_cpu(
    smd: Smd, scene: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One alone is the same as among all; any schedule gives the same to a level."""
    assert scene.exists()
    assert smd(["render", "s.yaml", "-n", "3", "-o", "light-%d.png"]).code == 0
    monkeypatch.setattr(request, "MOST_SHARED_CELLS", 64)
    assert smd(["render", "s.yaml", "-n", "3", "-o", "heavy-%d.png"]).code == 0
    assert smd(["render", "s.yaml", "-n", "3", "--frame", "2", "-o", "alone.png"]).code == 0
    assert [schedule(f"{name}-2.png") for name in ("light", "heavy")] == ["stream", "single"]
    assert Path("alone.png").read_bytes() == Path("heavy-2.png").read_bytes()
    with Image.open("light-2.png") as light, Image.open("heavy-2.png") as heavy:
        apart = np.abs(np.asarray(light).astype(int) - np.asarray(heavy).astype(int))
    assert apart.max() <= 1


def test_an_order_is_by_the_scene_and_the_machine() -> None:
    auto, most = request.Order(), request.MOST_SHARED_CELLS
    assert auto.schedule_of(9, most - 1, on_cpu=True) == "stream"
    assert auto.schedule_of(9, most, on_cpu=True) == "single"
    assert auto.schedule_of(9, most, on_cpu=False) == "stream"
    assert auto.schedule_of(1, 1, on_cpu=False) == "single"
    assert request.Order(frame=3).schedule_of(9, most, on_cpu=True) == "single"
    assert request.Order("stream").schedule_of(9, most, on_cpu=True) == "stream"


def test_render_writes_a_png_and_prints_its_path_alone(smd: Smd, scene: Path) -> None:
    result = smd(["render", "s.yaml"])
    assert (result.code, result.out) == (0, "s.png\n")
    assert result.err.count("\n") == 1
    assert result.err.startswith("s: 1 frame in ")
    for part in ("frames/s", "first frame after", "model loaded in", "peak memory"):
        assert part in result.err
    assert sorted(p.name for p in scene.parent.iterdir()) == ["s.png", "s.yaml"]
    with Image.open("s.png") as picture:
        assert (picture.size, picture.mode) == ((64, 64), "RGB")
        text = picture.text
    assert text["smd:scene"] == SCENE
    assert text["smd:seed"] == "0"
    assert text["smd:frame"] == "0 of 1"
    assert text["smd:schedule"] == "single"
    assert text["Software"].startswith("smd ")


def test_the_same_command_twice_gives_the_same_bytes(smd: Smd, scene: Path) -> None:
    def digests() -> list[str]:
        assert smd(["render", "s.yaml", "-n", "3", "-o", "f-%d.png"]).code == 0
        files = sorted(scene.parent.glob("f-*.png"))
        return [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]

    first = digests()
    assert digests() == first
    assert len(set(first)) == 3


def test_no_absolute_path_and_no_time_in_a_picture(smd: Smd, scene: Path) -> None:
    Path("m").symlink_to(TINY)
    scene.write_text(SCENE.replace(str(TINY), "./m"), encoding="utf-8")
    assert smd(["render", "s.yaml", "--model", str(TINY)]).code == 0
    data = Path("s.png").read_bytes()
    assert str(scene.parent).encode() not in data
    assert str(TINY.parent).encode() not in data
    assert b"tIME" not in data


def test_overrides_reach_the_picture_and_its_text(smd: Smd, scene: Path) -> None:
    options = ["--set", "brushes.fox.prompt=a blue fox", "--seed", "7", "--size", "96x64"]
    assert smd(["render", scene.name, *options]).code == 0
    with Image.open("s.png") as picture:
        assert picture.size == (96, 64)
        text = picture.text
    assert text["smd:overrides"] == "brushes.fox.prompt=a blue fox\nseed=7\nsize=96x64"
    assert text["smd:seed"] == "7"


def test_many_outputs_of_one_run_show_the_same_frames(smd: Smd, scene: Path) -> None:
    outs = ["a.gif", "a.apng", "a.webp", "a.mp4", "shots/", "f-%02d.jpg"]
    options = [word for out in outs for word in ("-o", out)]
    result = smd(["render", scene.name, "-n", "3", "--fps", "5", *options])
    assert result.code == 0
    stills = [f"shots/s-{k:04d}.png" for k in range(3)] + [f"f-{k:02d}.jpg" for k in range(3)]
    assert sorted(result.out.split()) == sorted([*outs[:4], *stills])
    with Image.open("a.apng") as movie, Image.open("shots/s-0002.png") as still:
        movie.seek(2)
        assert movie.convert("RGB").tobytes() == still.tobytes()
    with Image.open("a.gif") as gif:
        assert (gif.n_frames, gif.info["duration"]) == (3, 200)


def test_frame_k_does_not_depend_on_how_many_are_made(smd: Smd, scene: Path) -> None:
    assert smd(["render", scene.name, "-n", "4", "-o", "a-%d.png"]).code == 0
    assert smd(["render", scene.name, "-n", "2", "-o", "b-%d.png"]).code == 0
    for k in range(2):
        assert _levels_apart(f"a-{k}.png", f"b-{k}.png") <= 1


def test_both_schedules_give_the_same_frames(smd: Smd, scene: Path) -> None:
    for schedule in ("single", "stream"):
        options = ["-n", "3", "--schedule", schedule, "-o", f"{schedule}-%d.png"]
        assert smd(["render", scene.name, *options]).code == 0
    for k in range(3):
        assert _levels_apart(f"single-{k}.png", f"stream-{k}.png") <= 1


def _levels_apart(one: str, two: str) -> int:
    with Image.open(one) as a, Image.open(two) as b:
        pairs = zip(a.tobytes(), b.tobytes(), strict=True)
        return int(max(abs(x - y) for x, y in pairs))


def test_json_is_one_event_a_line(smd: Smd, scene: Path) -> None:
    result = smd(["render", scene.name, "--json", "-n", "2", "-o", "a.gif"])
    events = [json.loads(line) for line in result.out.splitlines()]
    assert [event["type"] for event in events] == [
        "loading",
        "start",
        "frame",
        "frame",
        "result",
        "done",
    ]
    assert events[-2]["path"] == "a.gif"
    assert events[-1]["frames"] == 2
    assert events[-1]["peak_bytes"] > 1e6


def test_quiet_says_nothing(smd: Smd, scene: Path) -> None:
    result = smd(["render", scene.name, "-q"])
    assert (result.code, result.out, result.err) == (0, "s.png\n", "")


@pytest.mark.usefixtures("scene")
def test_a_batch_renders_every_scene(smd: Smd) -> None:
    Path("t.yaml").write_text(SCENE.replace("a fox", "a cat"), encoding="utf-8")
    result = smd(["render", "s.yaml", "t.yaml", "-q", "-o", "out-{scene}-{seed}.png"])
    assert (result.code, result.out) == (0, "out-s-0.png\nout-t-0.png\n")


def test_only_and_without_mute_brushes(smd: Smd, scene: Path) -> None:
    assert smd(["render", scene.name, "-q", "-o", "all.png"]).code == 0
    assert smd(["render", scene.name, "-q", "--only", "fox", "-o", "only.png"]).code == 0
    assert smd(["render", scene.name, "-q", "--without", "owl", "-o", "less.png"]).code == 0
    with Image.open("only.png") as only, Image.open("less.png") as less:
        assert only.tobytes() == less.tobytes()
    assert _levels_apart("all.png", "only.png") > 1


@pytest.mark.slow
def test_a_scene_from_stdin_and_a_picture_to_stdout(scene: Path) -> None:
    command = [sys.executable, "-m", "smd_cli", "render", "-", "-o", "-"]
    done = subprocess.run(
        command, input=scene.read_bytes(), capture_output=True, cwd=scene.parent, check=True
    )
    with Image.open(io.BytesIO(done.stdout)) as picture:
        assert picture.size == (64, 64)
    assert done.stderr.startswith(b"stdin: 1 frame in ")
    assert done.stderr.count(b"\n") == 1  # nothing of what third-party libraries print


def test_options_have_environment_names(
    smd: Smd, scene: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMD_FRAMES", "2")
    monkeypatch.setenv("SMD_OUT", "e.gif")
    monkeypatch.setenv("SMD_QUIET", "1")
    assert smd(["render", scene.name]).out == "e.gif\n"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a.png b.png", ["a.png", "b.png"]),
        ("  a.png\tb.png\n", ["a.png", "b.png"]),
        ("'my pictures/a b.png' c.png", ["my pictures/a b.png", "c.png"]),
        ('brushes.fox.prompt="a red fox" seed=3', ["brushes.fox.prompt=a red fox", "seed=3"]),
        ("C:\\new\\table.png 'D:\\my pictures\\'", ["C:\\new\\table.png", "D:\\my pictures\\"]),
        ("a#1.png #2", ["a#1.png", "#2"]),
        ('say="don\'t"', ["say=don't"]),
        ("a,b=(c);d|e", ["a,b=(c);d|e"]),
        ("'' x", ["", "x"]),
    ],
)
def test_lists_of_the_environment_are_read_as_a_shell_reads_words(
    text: str, found: list[str]
) -> None:
    assert words("SMD_OUT", text) == found


@pytest.mark.parametrize(
    ("variable", "command"),
    [
        ("SMD_SET", ["check", "s.yaml"]),
        ("SMD_ONLY", ["check", "s.yaml"]),
        ("SMD_WITHOUT", ["watch", "s.yaml"]),
        ("SMD_OUT", ["render", "s.yaml"]),
        ("SMD_OUT", ["compare", "s.yaml"]),
    ],
)
def test_a_broken_quote_in_a_variable_names_it(
    smd: Smd, scene: Path, monkeypatch: pytest.MonkeyPatch, variable: str, command: list[str]
) -> None:
    monkeypatch.setenv(variable, "'a b")
    result = smd(command)
    assert (result.code, result.out) == (2, "")
    told = f"error: the variable {variable} has a quote without its partner: 'a b\n"
    assert result.err.startswith(told)
    assert [p.name for p in scene.parent.iterdir()] == ["s.yaml"]


def test_quotes_in_variables_reach_every_option(
    smd: Smd, scene: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = SCENE.replace("name: fox", "name: red fox").replace("name: owl", "name: night owl")
    scene.write_text(text, encoding="utf-8")
    monkeypatch.setenv("SMD_SET", "'prompt.prefix=two words: ' size=96x64")
    monkeypatch.setenv("SMD_ONLY", "'red fox' 'night owl'")
    monkeypatch.setenv("SMD_WITHOUT", '"night owl"')
    result = smd(["check", scene.name])
    assert result.code == 0
    assert "two words: a fox" in result.out
    assert "s.yaml: 96x64 px" in result.out
    assert "muted: night owl" in result.out
    monkeypatch.setenv("SMD_OUT", "'a b.bmp' c.png")
    assert smd(["render", scene.name]).err.startswith("error: a b.bmp: .bmp is not a format")
    for alone in ("a b.bmp", "'a b.bmp'"):
        monkeypatch.setenv("SMD_OUT", alone)
        assert smd(["compare", scene.name]).err.startswith("error: a b.bmp: .bmp is not a format")


def test_the_help_has_the_commands_in_the_order_in_which_one_meets_them(smd: Smd) -> None:
    listed = smd(["--help"]).out.partition("Commands:\n")[2]
    names = [line.split()[0] for line in listed.splitlines() if line.startswith("  ")]
    commands = [name for name in names if name.isalpha()]
    order = [
        "init",
        "render",
        "check",
        "masks",
        "watch",
        "unpack",
        "compare",
        "models",
        "doctor",
        "bench",
    ]
    assert [name for name in commands if name in order] == order


def test_a_random_seed_is_told_and_recorded(smd: Smd, scene: Path) -> None:
    result = smd(["render", scene.name, "--seed", "random"])
    with Image.open("s.png") as picture:
        seed = picture.text["smd:seed"]
    assert f"note: s: seed {seed}\n" in result.err


def test_warnings_leave_the_exit_code_at_0(smd: Smd, scene: Path) -> None:
    result = smd(["render", scene.name, "--set", "brushes.fox.negative=blurry"])
    assert result.code == 0
    assert "--set brushes.fox.negative=blurry: warning: " in result.err


def test_the_first_warnings_of_many_are_told_with_a_count(
    smd: Smd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    brushes = "  - {prompt: a fox, mask: {rect: [0, 0, 64, 64]}}\n" * 30
    Path("many.yaml").write_text(f"size: 64x64\nbackground: grass\nbrushes:\n{brushes}")
    result = smd(["check", "many.yaml", "--json"])
    assert result.err.count(" warning: ") == 21
    last = "many.yaml: warning: 10 more warnings are not shown\nnote: smd masks many.yaml shows "
    assert last in result.err
    assert len(json.loads(result.out)["warnings"]) == 30


WRONG_OPTIONS: list[tuple[Sequence[str], str]] = [
    (
        ["rendr"],
        "error: No such command 'rendr'. Did you mean 'render', 'rerun'?\nhint: see smd --help\n",
    ),
    (
        ["render", "s.yaml", "--frames"],
        "error: Option '--frames' requires an argument.\nhint: see smd --help\n",
    ),
    (
        ["render", "s.yaml", "-n", "0"],
        "--frames 0: error: frames must be a whole number from 1 to 1000000 or auto, not 0\n",
    ),
    (
        ["render", "s.yaml", "--seed", "soon"],
        "--seed soon: error: seed must be a whole number from 0 to 9223372036854775807 or "
        "random, not the text 'soon'\n",
    ),
    (
        ["render", "s.yaml", "--schedule", "soon"],
        "error: --schedule is auto, single or stream, not 'soon'\n",
    ),
    (
        ["render", "s.yaml", "--device", "abacus"],
        "error: there is no device 'abacus' here\nhint: try auto or cpu\n",
    ),
    (
        ["render", "s.yaml", "--dtype", "fp12"],
        "error: there is no precision 'fp12'\nhint: one of auto, fp32, fp16, bf16\n",
    ),
    (
        ["render", "s.yaml", "-n", "12", "-o", "out.png"],
        "error: out.png holds one picture, but 12 frames are asked for\n"
        "hint: write out-%04d.png for a sequence, or out.gif\n",
    ),
    (
        ["render", "s.yaml", "s.yaml", "-o", "out.png"],
        "error: out.png is asked for twice\n"
        "hint: give each result a name of its own; {scene} and {seed} may help\n",
    ),
    (
        ["render", "-", "-"],
        "error: standard input can be read once only, but - is given twice\n",
    ),
    (
        ["check", "-", "-"],
        "error: standard input can be read once only, but - is given twice\n",
    ),
    (
        ["check", ""],
        "error: a scene's name is empty\n",
    ),
    (
        ["render", "s.yaml", "--model", "startr"],
        "--model startr: error: no model 'startr': neither a preset, an existing path nor a hub "
        "id\nhint: did you mean starter?\n",
    ),
    (
        ["check", "gone.yaml"],
        "gone.yaml: error: there is no such file\nhint: did you mean s.yaml?\n",
    ),
]


@pytest.mark.parametrize(
    ("arguments", "text"),
    WRONG_OPTIONS,
    ids=lambda p: " ".join(p) if isinstance(p, list) else "told",
)
def test_a_wrong_command_line_is_told_in_a_sentence(
    smd: Smd, scene: Path, arguments: Sequence[str], text: str
) -> None:
    result = smd(arguments)
    assert (result.code, result.out) == (2, "")
    assert result.err == text
    assert [p.name for p in scene.parent.iterdir()] == ["s.yaml"]


def test_without_a_command_it_shows_the_help(smd: Smd) -> None:
    result = smd([])
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith("Usage: smd ")


def test_a_code_page_that_lacks_a_sign_does_not_end_the_run(scene: Path) -> None:
    scene.write_text(SCENE.replace("a fox", "лиса"), encoding="utf-8")
    command = [sys.executable, "-m", "smd_cli", "check", scene.name]
    env = {**os.environ, "PYTHONIOENCODING": "cp1252"}
    done = subprocess.run(command, capture_output=True, cwd=scene.parent, env=env, check=True)
    assert b"\\u043b\\u0438\\u0441\\u0430" in done.stdout
    assert done.stderr == b""


def test_check_reports_the_good_scenes_beside_the_broken_ones(smd: Smd, scene: Path) -> None:
    Path("bad.yaml").write_text("background: 3\n", encoding="utf-8")
    result = smd(["check", "bad.yaml", scene.name])
    assert result.code == 2
    assert result.out.startswith("s.yaml: 64x64 px, model ")
    assert result.err.startswith("bad.yaml:1:13: error: background must be ")


def test_json_tells_an_error_as_an_event_too(smd: Smd, scene: Path) -> None:
    result = smd(["render", scene.name, "--json", "-o", "-"])
    message, hint = "--json and -o - both want stdout", "write the picture to a file"
    told = json.loads(result.out)
    assert (told["type"], told["message"], told["hint"]) == ("error", message, hint)
    assert (result.code, result.err) == (2, f"error: {message}\nhint: {hint}\n")


def test_a_picture_on_stdout_leaves_no_path_beside_it(
    scene: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert run(["render", scene.name, "-q", "-o", "-", "-o", "f.png"]) == 0
    assert capfdbinary.readouterr() == (Path("f.png").read_bytes(), b"f.png\n")


def test_running_out_of_memory_is_a_sentence(
    smd: Smd, scene: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr("smd_cli.engine.stream.advance", full)
    result = smd(["render", scene.name])
    assert (result.code, result.out) == (1, "")
    assert result.err.startswith("error: s: out of memory at 64x64\nhint: try a smaller --size")


@pytest.mark.parametrize("command", ["render", "watch"])
@pytest.mark.parametrize("muted", ["", ", enabled: false"])
def test_a_picture_never_replaces_one_of_the_scenes_own(
    smd: Smd, scene: Path, command: str, muted: str
) -> None:
    Image.new("L", (64, 64), 255).save("s.png")
    painted = Path("s.png").read_bytes()
    brush = f"  - {{prompt: a fox, mask: ./s.png{muted}}}\n"
    scene.write_text(SCENE.replace("defaults", f"{brush}defaults"), encoding="utf-8")
    result = smd([command, scene.name])
    assert result.code == 2
    assert "would replace s.png, which the scene is made of" in result.err
    assert Path("s.png").read_bytes() == painted


def fox_and_owl(scene: Path) -> None:
    """Beside s.yaml: fox.yaml, and owl.yaml whose mask is called as fox.yaml's picture is."""
    Image.new("L", (64, 64), 255).save("fox.png")
    Path("fox.yaml").write_text(SCENE, encoding="utf-8")
    mask = "{prompt: an owl, mask: fox.png}"
    Path("owl.yaml").write_text(
        SCENE.replace("defaults", f"  - {mask}\ndefaults"), encoding="utf-8"
    )
    assert scene.exists()


def scene_by_link(scene: Path) -> None:
    Path("fox.png").symlink_to(scene)


def scene_by_hard_link(scene: Path) -> None:
    os.link(scene, "fox.png")


def model_by_link(scene: Path) -> None:
    shutil.copytree(TINY, "model")
    scene.write_text(SCENE.replace(str(TINY), "./model"), encoding="utf-8")
    Path("fox.png").symlink_to("model/unet/config.json")


def lora_and_vae(scene: Path) -> None:
    layer = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k.lora_down.weight"
    save_file({layer: np.zeros((2, 32), np.float32)}, "w.safetensors")
    model = f"{{name: {TINY}, lora: [{{path: ./w.safetensors}}]}}"
    scene.write_text(SCENE.replace(str(TINY), model), encoding="utf-8")
    os.link("w.safetensors", "fox.png")


@pytest.mark.skipif(os.name == "nt", reason="links")
def test_no_result_replaces_a_model_of_the_hub(
    smd: Smd, scene: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("smd_cli.models.cache.cache_folder", lambda: scene.parent / "hub")
    repo = Path("hub/models--owner--name")
    (repo / "refs").mkdir(parents=True)
    (repo / "refs/main").write_text("abc")
    (repo / "blobs").mkdir()
    shutil.copytree(TINY, repo / "snapshots/abc")
    index = (repo / "snapshots/abc/model_index.json").rename(repo / "blobs/1").read_text()
    (repo / "snapshots/abc/model_index.json").symlink_to("../../blobs/1")
    Path("out.png").symlink_to(repo / "blobs/1")
    result = smd(["render", scene.name, "--model", "owner/name", "-o", "out.png", "--offline"])
    assert result.code == 2
    assert "error: out.png would replace " in result.err
    assert (repo / "blobs/1").read_text() == index


@pytest.mark.skipif(os.name == "nt", reason="links")
@pytest.mark.parametrize(
    ("stands", "scenes"),
    [
        (fox_and_owl, ["fox.yaml", "owl.yaml"]),
        (fox_and_owl, ["owl.yaml", "fox.yaml"]),
        (scene_by_link, ["s.yaml"]),
        (scene_by_hard_link, ["s.yaml"]),
        (model_by_link, ["s.yaml"]),
        (lora_and_vae, ["s.yaml"]),
    ],
)
@pytest.mark.parametrize("command", ["render", "compare"])
def test_no_result_replaces_anything_that_any_scene_is_made_of(
    smd: Smd, scene: Path, command: str, stands: Callable[[Path], None], scenes: list[str]
) -> None:
    if command == "compare" and len(scenes) > 1:
        pytest.skip("compare takes one scene")
    stands(scene)
    before = Path("fox.png").read_bytes()
    out = "{scene}.png" if len(scenes) > 1 else "fox.png"
    result = smd([command, *scenes, "-o", out])
    assert result.code == 2
    assert " would replace " in result.err
    assert "is made of\nhint: give the result another name with -o\n" in result.err
    assert Path("fox.png").read_bytes() == before


def test_frames_that_watch_may_still_come_to_replace_no_mask(smd: Smd, scene: Path) -> None:
    Image.new("L", (64, 64), 255).save("s-7.png")
    brush = "  - {prompt: a fox, mask: s-7.png}\n"
    scene.write_text(SCENE.replace("defaults", f"{brush}defaults"), encoding="utf-8")
    result = smd(["watch", scene.name, "-n", "2", "-o", "s-%d.png"])
    assert result.code == 2
    assert "s-%d.png (s-7.png) would replace s-7.png, which the scene is made of" in result.err


@pytest.mark.skipif(os.name == "nt", reason="/dev/stdin")
def test_the_file_on_stdin_is_not_replaced(scene: Path) -> None:
    scene.rename("scene.png")
    command = [sys.executable, "-m", "smd_cli", "render", "-", "-o", "scene.png"]
    with Path("scene.png").open("rb") as stdin:
        done = subprocess.run(command, stdin=stdin, capture_output=True, cwd=scene.parent)
    assert done.returncode == 2
    assert b"would replace /dev/stdin, which the scene is made of" in done.stderr
    assert Path("scene.png").read_text(encoding="utf-8") == SCENE


def test_pictures_of_an_older_run_are_told(smd: Smd, scene: Path) -> None:
    Path("seq").mkdir()
    for k in range(4):
        Path(f"seq/s-{k:04d}.png").touch()
    result = smd(["render", scene.name, "-n", "2", "-o", "seq/"])
    assert result.code == 0
    told = "note: seq/: left from an older run, beside 2 frames of this one: "
    assert told + f"{Path('seq/s-0002.png')}, {Path('seq/s-0003.png')}\n" in result.err


@pytest.mark.usefixtures("scene")
def test_two_scenes_of_one_name_are_told_what_helps(smd: Smd) -> None:
    for folder in ("a", "b"):
        Path(folder).mkdir()
        Path(folder, "s.yaml").write_text(SCENE, encoding="utf-8")
    result = smd(["render", "a/s.yaml", "b/s.yaml"])
    assert result.code == 2
    assert result.err == (
        "error: a/s.yaml and b/s.yaml would both become s.png\n"
        "hint: the scenes have one name: render each by a command of its own, with its own -o\n"
    )


def test_no_clobber_refuses_before_any_work(smd: Smd, scene: Path) -> None:
    Path("s.png").write_bytes(b"precious")
    result = smd(["render", scene.name, "--no-clobber"])
    assert result.code == 2
    assert result.err.startswith("error: s.png exists already, and --no-clobber keeps it\n")
    assert Path("s.png").read_bytes() == b"precious"


@pytest.mark.parametrize(
    "arguments", [["--help"], ["render", "--help"], ["check", "s.yaml"], ["masks", "s.yaml"]]
)
def test_help_and_check_load_nothing_heavy(scene: Path, arguments: list[str]) -> None:
    program = (
        "import sys\n"
        "from smd_cli.__main__ import run\n"
        f"code = run({arguments!r})\n"
        "heavy = {'torch', 'diffusers', 'transformers', 'imageio'} & set(sys.modules)\n"
        "assert code == 0 and not heavy, (code, heavy)\n"
    )
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run(
        [sys.executable, "-c", program], check=True, cwd=scene.parent, env=env, stdout=-3
    )


NEEDLESS = (
    "diffusers.pipelines",
    "imageio",
    "rich",
    "smd_cli.bench",
    "smd_cli.doctor",
    "smd_cli.starter",
    "smd_cli.watch",
    "watchfiles",
)
"""What other commands, other models and films are made with."""


@pytest.mark.slow
def test_a_picture_loads_what_its_model_needs_and_no_more(tmp_path: Path) -> None:
    text = "size: 64x64\nbackground: sea\nsampler: {steps: 1}\n"
    (tmp_path / "s.yaml").write_text(text)
    program = (
        "import sys\n"
        "from smd_cli.__main__ import run\n"
        "code = run(['render', 's.yaml', '-n', '1'])\n"
        f"held = [name for name in sys.modules if name.startswith({NEEDLESS!r})]\n"
        "assert code == 0 and not held and 'torch' in sys.modules, (code, held)\n"
    )
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run(
        [sys.executable, "-c", program], check=True, cwd=tmp_path, env=env, stdout=-3, timeout=300
    )
    assert (tmp_path / "s.png").is_file()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="peaks are told by another unit elsewhere")
def test_memory_does_not_grow_with_the_frames(scene: Path) -> None:
    """At most by 50 KiB a frame, which would be 50 MB for a thousand; one alone has 12 KiB."""

    def peak_bytes(frames: int) -> int:
        options = [
            "-n",
            f"{frames}",
            "--set",
            "sampler.steps=1",
            "--size",
            "64x64",
            "--json",
            "--only",
            "fox",
        ]
        outs = ["-o", f"{frames}-%04d.png", "-o", f"{frames}.gif"]
        command = [sys.executable, "-m", "smd_cli", "render", "s.yaml", *options, *outs]
        done = subprocess.run(command, check=True, cwd=scene.parent, capture_output=True)
        told = json.loads(done.stdout.splitlines()[-1])
        assert (told["type"], told["frames"]) == ("done", frames)
        return int(told["peak_bytes"])

    assert peak_bytes(90) - peak_bytes(10) < 80 * 50 * 2**10


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT for a single process there")
def test_ctrl_c_keeps_whole_files_and_leaves_nothing_else(scene: Path) -> None:
    outs = ["-o", "f-%04d.png", "-o", "movie.gif", "-o", "movie.mp4"]
    command = [sys.executable, "-m", "smd_cli", "render", "s.yaml", "-n", "100000", *outs]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=scene.parent
    ) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        rest, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors == b"note: interrupted; finished files are kept\n"
    told = sorted((first + rest).decode().split())
    found = sorted(p.name for p in scene.parent.iterdir() if p.name != "s.yaml")
    assert told == found
    for name in found:
        with Image.open(scene.parent / name) as picture:
            picture.load()
