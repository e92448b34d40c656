"""The scene format as JSON Schema (draft 7, which editors know): every key, its range, default.

Ranges and words are those that the readers use; what hangs on two keys at once, or on files and the
model, the readers alone can say. YAML's merge key is resolved before a schema is asked.
"""

from __future__ import annotations

from typing import get_args

from smd_cli.scene import image_schema
from smd_cli.scene.beneath import AUTO
from smd_cli.scene.keys import mask, model, sampler
from smd_cli.scene.keys.fields import MAX_SEED
from smd_cli.scene.parse import MAX_BLUR_PX, MAX_BRUSHES, MAX_FRAMES
from smd_cli.scene.schema_words import Schema
from smd_cli.scene.schema_words import about as _about
from smd_cli.scene.schema_words import either as _either
from smd_cli.scene.schema_words import integer as _integer
from smd_cli.scene.schema_words import keyed as _keyed
from smd_cli.scene.schema_words import list_of as _list
from smd_cli.scene.schema_words import mapping as _mapping
from smd_cli.scene.schema_words import number as _number
from smd_cli.scene.schema_words import words as _words
from smd_cli.scene.types import (
    Audio,
    Bootstrap,
    Channel,
    Fit,
    Guidance,
    GuidanceType,
    MaskType,
    Method,
    NoiseBetween,
    NoiseKind,
    Output,
    Profile,
    Repeat,
    Sampler,
    SamplerPreset,
    Wrap,
)
from smd_cli.units import MAX_SIDE_PX, MIN_SIDE_PX

SCHEMA = "scene.schema.json"
"""What a schema's file is called beside a scene."""

MODELINE = f"# yaml-language-server: $schema={SCHEMA}\n"
"""The comment by which an editor finds the schema of a scene."""

_DRAFT = "http://json-schema.org/draft-07/schema#"
_OWN = "Default: the model's own; that here where it has none."
_START = Sampler()
_BOOT, _GUIDE, _OUTPUT = Bootstrap(), Guidance(), Output()


def scene_schema() -> Schema:
    """The schema of a whole scene."""
    return {
        "$schema": _DRAFT,
        "title": "A scene of smd",
        "description": "A background and layered semantic brushes, each a prompt with a mask.",
        **_mapping(_ROOT),
    }


_TEXT: Schema = {"type": "string"}
_PHRASE: Schema = {"type": "string", "pattern": r"\S"}
_HANDLE: Schema = {"type": "string", "pattern": r"[^\s0-9]|\s\S|\S\s"}
_FLAG: Schema = {"type": "boolean"}
_ALIKE = _either(_words(["off"]), _number(0, sampler.MAX_SIMILARITY))
_LOOP = _either(_FLAG, _words(["ping-pong"]))
_SHARE = _number(0, 1)
_SEED = _integer(0, MAX_SEED)
_LENGTH = _either({"type": "number"}, {"type": "string", "pattern": r"^\s*[-+]?[0-9.]+\s*%$"})
_POINT = _list(_LENGTH, 2, 2)
_BOX = _list(_LENGTH, 4, 4)
_FITS, _CHANNELS = _words(get_args(Fit)), _words(get_args(Channel))
_SIDE = _integer(MIN_SIDE_PX, MAX_SIDE_PX)

# Brushes and their masks

_PLACED: dict[str, Schema] = {
    "move": _about(_keyed(_POINT), "How far it is moved, [x, y]. Default: not at all."),
    "scale": _about(_keyed(_number(*mask.SCALES)), "How large, about its middle.", default=1.0),
    "turn": _about(
        _keyed({"type": "number", "minimum": -mask.MAX_TURN, "maximum": mask.MAX_TURN}),
        "Degrees clockwise, about its middle.",
        default=0.0,
    ),
}
_REPEAT = _about(
    _words(get_args(Repeat)),
    "How a film or a sequence goes on that is shorter than the scene. Default: an error.",
)
_INVERT = _about(_FLAG, "Swap painted and unpainted.", default=False)
_IMAGE = (
    _mapping(
        {
            "image": _about(
                _PHRASE, "A picture, from the scene's folder; or a film, a folder, fox-%04d.png."
            ),
            "repeat": _REPEAT,
            "channel": _about(
                _CHANNELS,
                "What of it is paint. Default: alpha (opaque) where it varies, else luma.",
            ),
            **image_schema.PARTS,
            "invert": _INVERT,
            "fit": _about(
                _FITS,
                "How an image of another aspect ratio meets the canvas. Default: it is an error.",
            ),
            "at": _about(
                _POINT, "Where its top left corner lies, unscaled. Default: it fills the canvas."
            ),
            **_PLACED,
        },
        ["image"],
    )
    | image_schema.RULES
)


def _shape(kind: str, numbers: Schema, text: str) -> Schema:
    about = _about(_keyed(numbers), f"{text}, in pixels or percent.")
    return _mapping({kind: about, "invert": _INVERT, **_PLACED}, [kind])


_RECT = _shape("rect", _BOX, "Left, top, width and height")
_ELLIPSE = _shape("ellipse", _BOX, "Left, top, width and height around it")
_POLYGON = _shape("polygon", _list(_POINT, 3, mask.MAX_POINTS), "Its points [x, y]")
_PART = _either(_PHRASE, _IMAGE, _RECT, _ELLIPSE, _POLYGON)
_MASK = _either(_PART, _list(_PART, 1, mask.MAX_PARTS))

_STRENGTHS: dict[str, Schema] = {
    "negative": _about(
        _TEXT, "What shall not show; counts with guidance full and initialize.", default=""
    ),
    "alpha": _about(
        _SHARE, "How strong the mask is: a lower one acts in later slots only.", default=1.0
    ),
    "blur": _about(_number(0, MAX_BLUR_PX), f"px, softens the mask's edge. {_OWN}", default=8.0),
    "strength": _about(
        _SHARE, "How much of the prompt, against the background's prompt.", default=0.95
    ),
    "repaint": _about(
        _SHARE,
        "How much is painted anew: below 1 it starts from what lies under it, 0 keeps that.",
        default=1.0,
    ),
}


def _over_time(schema: Schema) -> Schema:
    """A key's schema where its value may change from frame to frame."""
    value = {key: one for key, one in schema.items() if key not in ("description", "default")}
    return {**_keyed(value), **{key: schema[key] for key in schema if key not in value}}


_BRUSH = _mapping(
    {
        "name": _about(_HANDLE, "For --set, --only and --without. Default: its number serves."),
        "prompt": _about(_keyed(_PHRASE), "What it paints."),
        "mask": _about(_MASK, "Where: an image, a shape, or a list of those, which is a union."),
        **{key: _over_time(schema) for key, schema in _STRENGTHS.items()},
        "seed": _about(_keyed(_SEED), "Re-rolls this brush alone. Default: the scene's noise."),
        "enabled": _about(_keyed(_FLAG), "false mutes it.", default=True),
    },
    ["prompt", "mask"],
)

# The model and what lies under the brushes

_LORA = _mapping(
    {
        "path": _about(_PHRASE, "A file, a folder or a hub id."),
        "weight": _about(
            _number(-model.MAX_LORA_WEIGHT, model.MAX_LORA_WEIGHT), "How strong it is.", default=1.0
        ),
        "revision": _about(_PHRASE, "Branch, tag or commit of the hub. Default: its newest."),
    },
    ["path"],
)
_LORAS = _either(_PHRASE, _LORA, _list(_either(_PHRASE, _LORA), 0, model.MAX_LORAS))
_MODEL = _mapping(
    {
        "name": _about(_PHRASE, "A preset, a folder, a .safetensors file or a hub id."),
        "revision": _about(_PHRASE, "Branch, tag or commit of the hub. Default: its newest."),
        "transformer": _about(
            _PHRASE, "A .safetensors file with a transformer. Default: the model's own."
        ),
        "vae": _about(_PHRASE, "Another autoencoder: a folder or a hub id. Default: its own."),
        "lora": _about(_LORAS, "LoRAs that are fused into it.", default=[]),
        "clip_skip": _about(
            _integer(0, model.MAX_CLIP_SKIP), "Layers of the text encoder left out.", default=0
        ),
        "config": _about(_PHRASE, "A folder with a single file's configs. Default: its kind's."),
    },
    ["name"],
)
_BACKGROUND = _mapping(
    {
        "prompt": _about(
            _keyed(_PHRASE),
            "What shows where no brush paints; auto has an image captioned. Default: none.",
        ),
        "negative": _over_time(_STRENGTHS["negative"]),
        "image": _about(
            _PHRASE, "A picture that is painted into, or a film or a sequence. Default: none."
        ),
        "repeat": _REPEAT,
        "fit": _about(
            _FITS, "How a picture of another aspect ratio meets the canvas. Default: an error."
        ),
        "profile": _about(
            _words(get_args(Profile)),
            "The colours that the picture is written in. Default: own, but srgb beside a size.",
        ),
        "color": _about(
            image_schema.COLOR, 'A CSS name, "#rrggbb" or [red, green, blue].', default="white"
        ),
        "repaint": _about(
            _keyed(_SHARE),
            "How much of the picture the prompt paints anew; 0 keeps it.",
            default=0.0,
        ),
        "caption_model": _about(
            _PHRASE, "Who is asked where the prompt is auto: a hub id or a folder. Default: BLIP."
        ),
    }
)

# How it is painted

_BOOTSTRAP = _mapping(
    {
        "steps": _about(
            _integer(0, sampler.MAX_STEPS),
            f"First slots on a plain ground, centred. {_OWN}",
            default=_BOOT.steps,
        ),
        "mix": _about(
            _number(0, sampler.MAX_STEPS), f"How white that ground is. {_OWN}", default=_BOOT.mix
        ),
        "leak": _about(
            _number(0),
            f"What of it is given back to the background. {_OWN} Into a picture: "
            f"{sampler.LEAK_INTO_PICTURES:g}.",
            default=_BOOT.leak,
        ),
    }
)
_GUIDANCE = _mapping(
    {
        "type": _about(
            _words(get_args(GuidanceType)), f"Classifier-free guidance. {_OWN}", default=_GUIDE.type
        ),
        "scale": _about(_number(0, 100), f"How strong. {_OWN}", default=_GUIDE.scale),
        "delta": _about(
            _number(0, 100), f"Weight of the residual noise. {_OWN}", default=_GUIDE.delta
        ),
    }
)
_SAMPLER = _mapping(
    {
        "method": _about(
            _words(get_args(Method)),
            f"multidiffusion is the slow baseline: DDIM steps, averaged. {_OWN}",
            default=_START.method,
        ),
        "preset": _about(
            _words(get_args(SamplerPreset)),
            "auto: the model's own settings; paper: exactly the published ones.",
            default=_START.preset,
        ),
        "steps": _about(
            _integer(1, sampler.MAX_STEPS),
            f"How many slots. {_OWN} Not with timesteps.",
            default=_START.steps,
        ),
        "timesteps": _about(
            _list(_integer(0, sampler.LAST_TIMESTEP), 1, sampler.MAX_STEPS),
            "The slots' timesteps, falling. Default: by steps.",
        ),
        "mask_type": _about(
            _words(get_args(MaskType)), f"How masks act on time. {_OWN}", default=_START.mask_type
        ),
        "cover": _about(
            _SHARE, f"What stays of a brush under later ones. {_OWN}", default=_START.cover
        ),
        "bootstrap": _about(_BOOTSTRAP, f"How brushes start. {_OWN}", default={}),
        "guidance": _about(_GUIDANCE, f"How strongly prompts are followed. {_OWN}", default={}),
        "noise": _about(
            _words(get_args(NoiseKind)),
            f"From frame to frame; walk is a path that loops, flow goes with masks. {_OWN}",
            default=_START.noise,
        ),
        "preaverage": _about(
            _FLAG, f"false: average after the noise. {_OWN}", default=_START.preaverage
        ),
        "windows": _about(
            _either(_words(["auto", "off"]), _SIDE),
            f"Least side in px that it is painted on. {_OWN}",
            default=_START.windows,
        ),
        "blend_after": _about(
            _either(_words(["never", "bootstrap"]), _integer(0, sampler.MAX_STEPS)),
            f"The slot from which one network row serves all brushes. {_OWN}",
            default=_START.blend_after,
        ),
        "noise_between": _about(
            _words(get_args(NoiseBetween)),
            f"Whether a slot's noise is drawn anew for the next one or kept. {_OWN}",
            default=_START.noise_between,
        ),
        "refine": _about(_integer(1, 2), "2: at half size first, then refined.", default=1),
        "similarity": _about(_ALIKE, f"How alike frames are skipped. {_OWN}", default="off"),
    }
) | {"not": {"required": ["steps", "timesteps"]}}

_ROOT: dict[str, Schema] = {
    "model": _about(
        _either(_PHRASE, _MODEL),
        "A preset, folder, .safetensors file or hub id; or a mapping.",
        default=model.DEFAULT_MODEL,
    ),
    "size": _about(
        _either(
            {"type": "string", "pattern": r"^\s*[0-9]+\s*[xX×]\s*[0-9]+\s*$"}, _list(_SIDE, 2, 2)
        ),
        f"The canvas: WIDTHxHEIGHT or [width, height], {MIN_SIDE_PX} to {MAX_SIDE_PX} px a side. "
        "Default: that of the pictures, else the model's.",
    ),
    "wrap": _about(
        _words(get_args(Wrap)),
        "Sides that go on at their other end, without a seam.",
        default="none",
    ),
    "seed": _about(
        _either({"const": "random"}, _SEED), "Seed of all noise; random draws one.", default=0
    ),
    "frames": _about(
        _either(_integer(1, MAX_FRAMES), {"const": AUTO}),
        "How many frames; auto: as many as the film beneath has.",
        default=1,
    ),
    "defaults": _about(_mapping(_STRENGTHS), "What every brush starts from.", default={}),
    "prompt": _about(
        _mapping(
            {
                "prefix": _about(_TEXT, "Stands before every prompt.", default=""),
                "suffix": _about(_TEXT, "Stands after every prompt.", default=""),
            }
        ),
        "What is joined to every prompt.",
        default={},
    ),
    "background": _about(
        _either(_PHRASE, _BACKGROUND),
        "What lies under the brushes: a prompt, or a mapping.",
        default={},
    ),
    "brushes": _about(
        {"type": "array", "items": _BRUSH, "maxItems": MAX_BRUSHES},
        "In painter's order: later brushes lie on top.",
        default=[],
    ),
    "sampler": _about(_SAMPLER, "How a frame is denoised.", default={}),
    "output": _about(
        _mapping(
            {
                "fps": _about(
                    _either(_number(0.1, 240), {"const": AUTO}),
                    "Frames a second; auto: those of the film beneath.",
                    default=_OUTPUT.fps,
                ),
                "loop": _about(_LOOP, "Whether movies go on and on.", default=_OUTPUT.loop),
                "quality": _about(
                    _integer(1, 100), "Of JPEG, WebP, films.", default=_OUTPUT.quality
                ),
                "audio": _about(
                    _words(get_args(Audio)),
                    "The sound of a film beneath, in films of its length and rate.",
                    default=_OUTPUT.audio,
                ),
            }
        ),
        "How pictures and films are written.",
        default={},
    ),
}
