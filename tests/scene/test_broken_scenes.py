"""What is wrong with a scene, word for word: every kind of mistake with its exact text."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from smd_cli.errors import SceneError
from smd_cli.scene.keys import mask as mask_fields
from smd_cli.scene.overrides import Override, parse_override
from smd_cli.scene.paint.painted import paint_scene
from smd_cli.scene.parse import load_scene

# name: (the scene, what is said about it)
SCENES = {
    "unknown key with a close name": (
        "background: sea\nseeed: 4\n",
        """\
scene.yaml:2:1: error: unknown key 'seeed'
  seeed: 4
  ^
hint: did you mean seed?""",
    ),
    "unknown key with none close": (
        "background: sea\noutput: {loop: true, zoom: 2}\n",
        """\
scene.yaml:2:22: error: unknown key 'zoom'
  output: {loop: true, zoom: 2}
                       ^
hint: the keys here are: fps, loop, quality, audio""",
    ),
    "misspelt required key is one mistake": (
        "brushes:\n  - promt: a fox\n    mask: fox.png\n",
        """\
scene.yaml:2:5: error: unknown key 'promt'
    - promt: a fox
      ^
hint: did you mean prompt?""",
    ),
    "missing prompt": (
        "brushes:\n  - name: fox\n    mask: fox.png\n",
        """\
scene.yaml:2:5: error: brush fox needs a prompt
    - name: fox
      ^""",
    ),
    "missing mask": (
        "brushes:\n  - {prompt: an owl, mask: owl.png}\n  - {prompt: a fox}\n",
        """\
scene.yaml:3:5: error: brush 2 needs a mask
    - {prompt: a fox}
      ^""",
    ),
    "empty prompt": (
        "brushes: [{prompt: '  ', mask: fox.png}]\n",
        """\
scene.yaml:1:20: error: prompt must not be empty
  brushes: [{prompt: '  ', mask: fox.png}]
                     ^""",
    ),
    "prompt without a value": (
        "background:\n  prompt:\n",
        """\
scene.yaml:2:10: error: prompt has no value: it must be a text
    prompt:
           ^""",
    ),
    "number for a text": (
        "background: {prompt: 2024}\n",
        """\
scene.yaml:1:22: error: prompt must be a text, not 2024
  background: {prompt: 2024}
                       ^
hint: quote it: '2024'""",
    ),
    "text for a number": (
        "background: sea\ndefaults: {alpha: high}\n",
        """\
scene.yaml:2:19: error: alpha must be a number from 0 to 1, not the text 'high'
  defaults: {alpha: high}
                    ^""",
    ),
    "boolean for a number": (
        "background: sea\ndefaults: {strength: true}\n",
        """\
scene.yaml:2:22: error: strength must be a number from 0 to 1, not true
  defaults: {strength: true}
                       ^""",
    ),
    "not a number": (
        "background: sea\ndefaults: {alpha: .nan}\n",
        """\
scene.yaml:2:19: error: alpha must be a number from 0 to 1, not .nan
  defaults: {alpha: .nan}
                    ^""",
    ),
    "infinite": (
        "background: sea\nsampler: {bootstrap: {leak: .inf}}\n",
        """\
scene.yaml:2:29: error: leak must be a number ≥ 0, not .inf
  sampler: {bootstrap: {leak: .inf}}
                              ^""",
    ),
    "out of range": (
        "background: sea\nsampler: {cover: 1.01}\n",
        """\
scene.yaml:2:18: error: cover must be a number from 0 to 1, not 1.01
  sampler: {cover: 1.01}
                   ^""",
    ),
    "negative blur": (
        "background: sea\ndefaults: {blur: -1}\n",
        """\
scene.yaml:2:18: error: blur must be a number from 0 to 1000, not -1
  defaults: {blur: -1}
                   ^""",
    ),
    "word of YAML 1.1 for a boolean": (
        "background: sea\noutput: {loop: no}\n",
        """\
scene.yaml:2:16: error: loop must be true, false or ping-pong, not the text 'no'
  output: {loop: no}
                 ^
hint: write false""",
    ),
    "fraction for a whole number": (
        "background: sea\nframes: 1.5\n",
        """\
scene.yaml:2:9: error: frames must be a whole number from 1 to 1000000 or auto, not 1.5
  frames: 1.5
          ^""",
    ),
    "no frames": (
        "background: sea\nframes: 0\n",
        """\
scene.yaml:2:9: error: frames must be a whole number from 1 to 1000000 or auto, not 0
  frames: 0
          ^""",
    ),
    "seed too large": (
        "background: sea\nseed: 9223372036854775808\n",
        """\
scene.yaml:2:7: error: seed must be a whole number from 0 to 9223372036854775807 or random, \
not 9223372036854775808
  seed: 9223372036854775808
        ^""",
    ),
    "random seed of a brush": (
        "brushes:\n  - {prompt: a, mask: a.png, seed: random}\n",
        """\
scene.yaml:2:36: error: seed must be a whole number from 0 to 9223372036854775807, \
not the text 'random'
    - {prompt: a, mask: a.png, seed: random}
                                     ^""",
    ),
    "fps": (
        "background: sea\noutput: {fps: 0, quality: 101}\n",
        """\
scene.yaml:2:15: error: fps must be a number from 0.1 to 240 or auto, not 0
  output: {fps: 0, quality: 101}
                ^
scene.yaml:2:27: error: quality must be a whole number from 1 to 100, not 101
  output: {fps: 0, quality: 101}
                            ^""",
    ),
    "size too small": (
        "background: sea\nsize: 512x32\n",
        """\
scene.yaml:2:7: error: size must be WIDTHxHEIGHT or [width, height], each from 64 to 8192, \
not the text '512x32'
  size: 512x32
        ^""",
    ),
    "side too large": (
        "background: sea\nsize: [8193, 512]\n",
        """\
scene.yaml:2:8: error: a value of size must be a whole number from 64 to 8192, not 8193
  size: [8193, 512]
         ^""",
    ),
    "size of three": (
        "background: sea\nsize: [64, 64, 3]\n",
        """\
scene.yaml:2:7: error: size must be WIDTHxHEIGHT or [width, height], each from 64 to 8192, \
not a list of 3
  size: [64, 64, 3]
        ^""",
    ),
    "colour name": (
        "background: {prompt: sea, color: bleu}\n",
        """\
scene.yaml:1:34: error: color must be a colour name, "#rrggbb" or [red, green, blue], \
not the text 'bleu'
  background: {prompt: sea, color: bleu}
                                   ^
hint: did you mean blue?""",
    ),
    "colour that is a comment": (
        "background:\n  prompt: sea\n  color: #ff0000\n",
        """\
scene.yaml:3:9: error: color has no value: it must be a colour name, "#rrggbb" or \
[red, green, blue]
    color: #ff0000
          ^
hint: an unquoted # begins a comment: write it in quotes, "#ff0000\"""",
    ),
    "colour out of range": (
        "background: {prompt: sea, color: [0, 256, 0]}\n",
        """\
scene.yaml:1:38: error: a value of color must be a whole number from 0 to 255, not 256
  background: {prompt: sea, color: [0, 256, 0]}
                                       ^""",
    ),
    "a background's unknown fit": (
        "background:\n  prompt: sea\n  image: p.png\n  fit: covers\n",
        """\
scene.yaml:4:8: error: fit must be one of stretch, contain, cover, not the text 'covers'
    fit: covers
         ^
hint: did you mean cover?""",
    ),
    "steps together with timesteps": (
        "background: sea\nsampler:\n  steps: 4\n  timesteps: [999, 500]\n",
        """\
scene.yaml:4:3: error: the sampler takes only one of steps and timesteps
    timesteps: [999, 500]
    ^""",
    ),
    "timesteps that do not fall": (
        "background: sea\nsampler: {timesteps: [999, 500, 500]}\n",
        """\
scene.yaml:2:33: error: timesteps must fall from one to the next: 500 follows 500
  sampler: {timesteps: [999, 500, 500]}
                                  ^""",
    ),
    "timestep out of range": (
        "background: sea\nsampler: {timesteps: [1000, 500]}\n",
        """\
scene.yaml:2:23: error: a value of timesteps must be a whole number from 0 to 999, not 1000
  sampler: {timesteps: [1000, 500]}
                        ^""",
    ),
    "no timesteps": (
        "background: sea\nsampler: {timesteps: []}\n",
        """\
scene.yaml:2:22: error: timesteps must be a list of 1 to 50 whole numbers, not a list of 0
  sampler: {timesteps: []}
                       ^""",
    ),
    "unknown choice": (
        "background: sea\nsampler: {mask_type: continous}\n",
        """\
scene.yaml:2:22: error: mask_type must be one of discrete, continuous, semi-continuous, \
not the text 'continous'
  sampler: {mask_type: continous}
                       ^
hint: did you mean continuous?""",
    ),
    "text for a section": (
        "background: sea\nsampler:\n  guidance: self\n",
        """\
scene.yaml:3:13: error: guidance must be a mapping (key: value), not the text 'self'
    guidance: self
              ^""",
    ),
    "list for a section": (
        "background: sea\noutput:\n  - fps: 3\n",
        """\
scene.yaml:2:1: error: output must be a mapping (key: value), not a list of 1
  output:
  ^""",
    ),
    "mapping for a number": (
        "background: sea\nsampler:\n  steps: {count: 3}\n",
        """\
scene.yaml:3:3: error: steps must be a whole number from 1 to 50, not a mapping
    steps: {count: 3}
    ^""",
    ),
    "mapping for the brushes": (
        "brushes:\n  fox: {prompt: a fox}\n",
        """\
scene.yaml:1:1: error: brushes must be a list of brushes (- prompt: …), not a mapping
  brushes:
  ^""",
    ),
    "brush that is a text": (
        "brushes:\n  - a fox\n",
        """\
scene.yaml:2:5: error: a value of brushes must be a mapping (key: value), not the text 'a fox'
    - a fox
      ^""",
    ),
    "a name that is merged into a second brush": (
        "brushes:\n- &f {name: fox, prompt: a, mask: a.png}\n- {<<: *f, prompt: b}\n",
        """\
scene.yaml:3:3: error: two brushes are named 'fox'
  - {<<: *f, prompt: b}
    ^
hint: name: after the << gives it a name of its own""",
    ),
    "two brushes of one name": (
        "brushes:\n"
        "  - {name: fox, prompt: a fox, mask: a.png}\n"
        "  - {name: fox, prompt: an owl, mask: b.png}\n",
        """\
scene.yaml:3:12: error: two brushes are named 'fox' (the first in line 2)
    - {name: fox, prompt: an owl, mask: b.png}
             ^""",
    ),
    "brush named like a number": (
        "brushes: [{name: '2', prompt: a fox, mask: a.png}]\n",
        """\
scene.yaml:1:18: error: name must not be a number, not '2'
  brushes: [{name: '2', prompt: a fox, mask: a.png}]
                   ^""",
    ),
    "empty name": (
        "brushes: [{name: '', prompt: a fox, mask: a.png}]\n",
        """\
scene.yaml:1:18: error: name must not be empty
  brushes: [{name: '', prompt: a fox, mask: a.png}]
                   ^""",
    ),
    "empty path": (
        "brushes: [{prompt: a fox, mask: {image: ''}}]\n",
        """\
scene.yaml:1:41: error: image must not be empty
  brushes: [{prompt: a fox, mask: {image: ''}}]
                                          ^""",
    ),
    "empty union": (
        "brushes: [{prompt: a fox, mask: []}]\n",
        """\
scene.yaml:1:33: error: mask must not be an empty list
  brushes: [{prompt: a fox, mask: []}]
                                  ^""",
    ),
    "mask of two kinds": (
        "brushes:\n  - prompt: a fox\n    mask: {image: a.png, rect: [0, 0, 5, 5]}\n",
        """\
scene.yaml:3:26: error: a mask takes only one of image and rect
      mask: {image: a.png, rect: [0, 0, 5, 5]}
                           ^""",
    ),
    "mask of no kind": (
        "brushes:\n  - prompt: a fox\n    mask: {invert: true}\n",
        """\
scene.yaml:3:5: error: a mask needs one of image, rect, ellipse, polygon
      mask: {invert: true}
      ^""",
    ),
    "mask of a misspelt kind": (
        "brushes:\n  - prompt: a fox\n    mask: {elipse: [0, 0, 5, 5]}\n",
        """\
scene.yaml:3:12: error: unknown key 'elipse'
      mask: {elipse: [0, 0, 5, 5]}
             ^
hint: did you mean ellipse?""",
    ),
    "image key beside a shape": (
        "brushes:\n  - prompt: a fox\n    mask: {rect: [0, 0, 5, 5], fit: cover}\n",
        """\
scene.yaml:3:32: error: a mask of a rect takes no fit
      mask: {rect: [0, 0, 5, 5], fit: cover}
                                 ^
hint: it is drawn at its place""",
    ),
    "mask that is a number": (
        "brushes: [{prompt: a fox, mask: 5}]\n",
        """\
scene.yaml:1:33: error: mask must be an image's path or one of image, rect, ellipse, polygon, \
not 5
  brushes: [{prompt: a fox, mask: 5}]
                                  ^""",
    ),
    "rectangle of three": (
        "brushes: [{prompt: a, mask: {rect: [0, 0, 5]}}]\n",
        """\
scene.yaml:1:36: error: rect must be [x, y, width, height], not a list of 3
  brushes: [{prompt: a, mask: {rect: [0, 0, 5]}}]
                                     ^""",
    ),
    "unit that does not exist": (
        "brushes: [{prompt: a, mask: {rect: [0, 0, 5cm, 5]}}]\n",
        """\
scene.yaml:1:43: error: a value of rect must be a number of pixels or a share such as 25%, \
not the text '5cm'
  brushes: [{prompt: a, mask: {rect: [0, 0, 5cm, 5]}}]
                                            ^""",
    ),
    "shape without area": (
        "brushes: [{prompt: a, mask: {ellipse: [0, 0, 0%, 5]}}]\n",
        """\
scene.yaml:1:39: error: ellipse has no area: width and height must be more than 0
  brushes: [{prompt: a, mask: {ellipse: [0, 0, 0%, 5]}}]
                                        ^""",
    ),
    "shape outside the canvas": (
        "size: 100x80\nbrushes: [{prompt: a, mask: {rect: [0, 80, 50%, 5]}}]\n",
        """\
scene.yaml:2:36: error: rect lies outside the canvas of 100x80 px
  brushes: [{prompt: a, mask: {rect: [0, 80, 50%, 5]}}]
                                     ^""",
    ),
    "polygon of two points": (
        "brushes: [{prompt: a, mask: {polygon: [[0, 0], [5, 5]]}}]\n",
        """\
scene.yaml:1:39: error: polygon must be a list of at least 3 points [x, y], not a list of 2
  brushes: [{prompt: a, mask: {polygon: [[0, 0], [5, 5]]}}]
                                        ^""",
    ),
    "point of three": (
        "brushes: [{prompt: a, mask: {polygon: [[0, 0], [5, 5, 5], [0, 9]]}}]\n",
        """\
scene.yaml:1:48: error: a value of polygon must be a point [x, y], not a list of 3
  brushes: [{prompt: a, mask: {polygon: [[0, 0], [5, 5, 5], [0, 9]]}}]
                                                 ^""",
    ),
    "polygon in one line": (
        "size: 90x90\nbrushes: [{prompt: a, mask: {polygon: [[0, 0], [5, 5], [9, 9]]}}]\n",
        """\
scene.yaml:2:39: error: polygon has no area: its points lie in one line
  brushes: [{prompt: a, mask: {polygon: [[0, 0], [5, 5], [9, 9]]}}]
                                        ^""",
    ),
    "key written twice": (
        "background: sea\nseed: 1\nframes: 2\nseed: 3\n",
        """\
scene.yaml:4:1: error: the key 'seed' is written twice (first in line 2)
  seed: 3
  ^""",
    ),
    "tag": (
        "background: !!python/object/apply:os.system [ls]\n",
        """\
scene.yaml:1:13: error: the YAML tag !!python/object/apply:os.system is not allowed
  background: !!python/object/apply:os.system [ls]
              ^
hint: quote the text if it shall begin with !""",
    ),
    "merge of no mapping": (
        "background: sea\noutput: {<<: [{fps: 3}, fast]}\n",
        """\
scene.yaml:2:25: error: << merges a mapping, or a list of mappings, in
  output: {<<: [{fps: 3}, fast]}
                          ^
hint: <<: *anchor""",
    ),
    "mistake in what is merged": (
        "background: sea\ndefaults: &d {blur: 3, alpha: 2}\nsampler: {<<: *d}\n",
        """\
scene.yaml:2:31: error: alpha must be a number from 0 to 1, not 2
  defaults: &d {blur: 3, alpha: 2}
                                ^
scene.yaml:3:11: error: unknown key 'blur'
  sampler: {<<: *d}
            ^
hint: blur belongs in a brush or under defaults:
scene.yaml:3:11: error: unknown key 'alpha'
  sampler: {<<: *d}
            ^
hint: alpha belongs in a brush or under defaults:""",
    ),
    "alias inside its anchor": (
        "brushes: &b [*b]\n",
        """\
scene.yaml:1:14: error: this alias stands inside its own anchor
  brushes: &b [*b]
               ^""",
    ),
    "tab": (
        "background:\n\tprompt: sea\n",
        """\
scene.yaml:2:1: error: a tab cannot stand here
  \tprompt: sea
  ^
hint: indent with spaces""",
    ),
    "colon inside a text": (
        "background: sea: calm\n",
        """\
scene.yaml:1:16: error: a ':' cannot stand here
  background: sea: calm
                 ^
hint: quote the text: it contains ': '""",
    ),
    "wrong indentation": (
        "brushes:\n  - prompt: a\n mask: b\n",
        """\
scene.yaml:3:2: error: this does not fit what stands before it
   mask: b
   ^
hint: check the indentation and the quotes""",
    ),
    "open list": (
        "background: sea\nsize: [64, 64\n",
        """\
scene.yaml:2:7: error: this list is not closed: a ',' or ']' is missing
  size: [64, 64
        ^
hint: close it, or quote the text if it shall begin with [""",
    ),
    "open quote": (
        "background: sea\nprompt: {suffix: 'x}\nseed: 1\n",
        """\
scene.yaml:2:18: error: this quote is never closed
  prompt: {suffix: 'x}
                   ^
hint: end the text with the same quote""",
    ),
    "no space after the colon": (
        "background: sea\nseed:3\nframes: 2\n",
        """\
scene.yaml:2:5: error: a blank is missing after this ':'
  seed:3
      ^
hint: put a blank (a space) after the colon: seed: 3""",
    ),
    "second document": (
        "background: sea\n---\nbackground: meadow\n",
        """\
scene.yaml:2:1: error: a second document starts here
  ---
  ^
hint: a scene is one document""",
    ),
    "not a mapping": (
        "background:sea\n",
        """\
scene.yaml:1:1: error: the scene must be a mapping (key: value), not the text 'background:sea'
  background:sea
  ^
hint: put a blank (a space) after the colon: background: sea""",
    ),
    "nothing at all": ("# nothing yet\n", "scene.yaml: error: the scene is empty"),
    "nothing to paint": (
        "seed: 3\nbrushes: []\n",
        """\
scene.yaml:2:10: error: there is nothing to paint: no brush is enabled and the background \
has no prompt
  brushes: []
           ^""",
    ),
    "nothing to paint into a picture": (
        "background: {prompt: sea, image: p.png}\n",
        """\
scene.yaml:1:1: error: there is nothing to paint: no brush is enabled and the background \
is a picture that is kept
  background: {prompt: sea, image: p.png}
  ^""",
    ),
    "repaint without a picture": (
        "background: {prompt: sea, repaint: 1}\n",
        """\
scene.yaml:1:27: error: repaint needs a picture to start from
  background: {prompt: sea, repaint: 1}
                            ^
hint: image: names it; a background that is only a prompt is painted anew anyway""",
    ),
    "repaint without a prompt": (
        "background: {image: p.png, repaint: 0.5}\n",
        """\
scene.yaml:1:28: error: repaint needs a prompt to paint the picture anew by
  background: {image: p.png, repaint: 0.5}
                             ^
hint: prompt: says what the whole picture shall show""",
    ),
    "repaint out of range": (
        "background: sea\nbrushes: [{prompt: a, mask: m.png, repaint: 50}]\n",
        """\
scene.yaml:2:45: error: repaint must be a number from 0 to 1, not 50
  brushes: [{prompt: a, mask: m.png, repaint: 50}]
                                              ^""",
    ),
    "lora": (
        "model: {name: starter, lora: lcm}\n"
        "brushes:\n  - {prompt: a, mask: a.png, lora: [style]}\n",
        """\
scene.yaml:1:30: error: no lora 'lcm': neither an existing path nor a hub id
  model: {name: starter, lora: lcm}
                               ^
scene.yaml:3:30: error: a brush has no lora of its own: all brushes share one model, whose loras \
are fused
    - {prompt: a, mask: a.png, lora: [style]}
                               ^
hint: model: {name: ..., lora: [...]} gives it to the whole picture""",
    ),
    "loras of all kinds": (
        "background: sea\n"
        "model:\n  name: a/b\n  lora:\n    - {path: a/b/c.bin}\n    - {weight: 1}\n"
        "    - {path: a/b, weight: heavy}\n    - a/b.safetensors\n    - scene.yaml\n",
        """\
scene.yaml:5:14: error: c.bin is a pickle file: loading one can run any program that was hidden \
in it
      - {path: a/b/c.bin}
               ^
hint: use its .safetensors version, or convert it where you trust it: \
safetensors.torch.save_file(torch.load(FILE, weights_only=True)['state_dict'], NEW)
scene.yaml:6:7: error: the lora needs a path
      - {weight: 1}
        ^
scene.yaml:7:27: error: weight must be a number from -10 to 10, not the text 'heavy'
      - {path: a/b, weight: heavy}
                            ^
scene.yaml:8:7: error: there is no file a/b.safetensors
      - a/b.safetensors
        ^
scene.yaml:9:7: error: scene.yaml is no model
      - scene.yaml
        ^
hint: a folder or a .safetensors file is""",
    ),
    "pickle file": (
        "background: sea\nmodel: dream.ckpt\n",
        """\
scene.yaml:2:8: error: dream.ckpt is a pickle file: loading one can run any program that was \
hidden in it
  model: dream.ckpt
         ^
hint: use its .safetensors version, or convert it where you trust it: \
safetensors.torch.save_file(torch.load(FILE, weights_only=True)['state_dict'], NEW)""",
    ),
    "file that does not exist": (
        "background: sea\nmodel: dream.safetensors\n",
        """\
scene.yaml:2:8: error: there is no file dream.safetensors
  model: dream.safetensors
         ^""",
    ),
    "config of a model that has its own": (
        "background: sea\nmodel: {name: a/b, config: c/d, clip_skip: 12}\n",
        """\
scene.yaml:2:28: error: config goes with a single .safetensors file; this model has its own
  model: {name: a/b, config: c/d, clip_skip: 12}
                             ^
scene.yaml:2:44: error: clip_skip must be a whole number from 0 to 11, not 12
  model: {name: a/b, config: c/d, clip_skip: 12}
                                             ^""",
    ),
    "model that does not exist": (
        "background: sea\nmodel: startr\n",
        """\
scene.yaml:2:8: error: no model 'startr': neither a preset, an existing path nor a hub id
  model: startr
         ^
hint: did you mean starter?""",
    ),
    "vae that does not exist": (
        "background: sea\nmodel: {name: a/b, vae: starter}\n",
        """\
scene.yaml:2:25: error: no vae 'starter': neither an existing path nor a hub id
  model: {name: a/b, vae: starter}
                          ^""",
    ),
    "folder that is no model": (
        "background: sea\nmodel: ./\n",
        """\
scene.yaml:2:8: error: ./ is no model folder: it has no model_index.json
  model: ./
         ^""",
    ),
    "model without a name": (
        "background: sea\nmodel: {revision: main}\n",
        """\
scene.yaml:2:1: error: the model needs a name
  model: {revision: main}
  ^""",
    ),
    "caret under a tab": (
        'background: {prompt: "a\tb", negativ: x}\n',
        """\
scene.yaml:1:29: error: unknown key 'negativ'
  background: {prompt: "a\tb", negativ: x}
                         \t    ^
hint: did you mean negative?""",
    ),
    "letters of other alphabets": (
        "background: {prompt: Füchse und 狐, negativ: x}\n",
        """\
scene.yaml:1:36: error: unknown key 'negativ'
  background: {prompt: Füchse und 狐, negativ: x}
                                     ^
hint: did you mean negative?""",
    ),
}

BASE = """\
background: a meadow
brushes:
  - {name: fox, prompt: a fox, mask: fox.png}
  - {prompt: an owl, mask: owl.png}
"""

# name: (arguments of --set, and what is said about them)
SETS = {
    "value out of range": (
        ["brushes.fox.alpha=2"],
        "--set brushes.fox.alpha=2: error: alpha must be a number from 0 to 1, not 2",
    ),
    "unknown brush": (
        ["brushes.fxo.alpha=1"],
        "--set brushes.fxo.alpha=1: error: there is no brush 'fxo'\nhint: did you mean fox?",
    ),
    "number of no brush": (
        ["brushes.3.alpha=1"],
        "--set brushes.3.alpha=1: error: there is no brush '3'\nhint: the brushes are: fox, 2",
    ),
    "unknown key": (
        ["sampler.stepz=3"],
        "--set sampler.stepz=3: error: unknown key 'stepz'\nhint: did you mean steps?",
    ),
    "unknown section": (
        ["smapler.steps=3"],
        "--set smapler.steps=3: error: unknown key 'smapler'\nhint: did you mean sampler?",
    ),
    "key inside a plain value": (
        ["seed=1", "seed.x=3"],
        "--set seed.x=3: error: seed has no keys inside",
    ),
    "item of a list": (
        ["size=[64, 64]", "size.0=99"],
        "--set size.0=99: error: size is a list: set it as a whole",
    ),
    "key with a hole": (
        ["sampler..steps=3"],
        "--set sampler..steps=3: error: 'sampler..steps' is no key such as sampler.steps",
    ),
    "emptied text": (
        ["brushes.2.prompt="],
        "--set brushes.2.prompt=: error: prompt must not be empty",
    ),
    "value that is no YAML": (
        ["size=[64, 64"],
        "--set size=[64, 64: error: size must be WIDTHxHEIGHT or [width, height], "
        "each from 64 to 8192, not the text '[64, 64'",
    ),
    "name that is taken": (
        ["brushes.2.name=fox"],
        "--set brushes.2.name=fox: error: two brushes are named 'fox' (the first in line 3)",
    ),
    "half a character": (
        ["background=\ud83e"],
        "--set background=\ufffd: error: the value is not valid Unicode",
    ),
    "several, in the order of the options": (
        ["frames=0", "brushes.owl.seed=1", "defaults.blur=x"],
        """\
--set frames=0: error: frames must be a whole number from 1 to 1000000 or auto, not 0
--set brushes.owl.seed=1: error: there is no brush 'owl'
hint: the brushes are: fox, 2
--set defaults.blur=x: error: blur must be a number from 0 to 1000, not the text 'x'""",
    ),
}


def said(source: str = "scene.yaml", *overrides: Override, **options: list[str]) -> str:
    with pytest.raises(SceneError) as caught:
        load_scene(source, overrides, **options)  # type: ignore[arg-type]
    assert caught.value.exit_code == 2
    return str(caught.value)


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("scene.yaml").write_text(BASE, encoding="utf-8")


@pytest.mark.parametrize("name", SCENES)
def test_a_broken_scene_is_told_word_for_word(name: str) -> None:
    text, expected = SCENES[name]
    Path("scene.yaml").write_text(text, encoding="utf-8")
    assert said() == expected


@pytest.mark.parametrize("name", SETS)
def test_a_broken_option_is_told_word_for_word(name: str) -> None:
    typed, expected = SETS[name]
    assert said("scene.yaml", *map(parse_override, typed)) == expected


def test_options_of_other_names_are_shown_as_typed() -> None:
    assert said("scene.yaml", Override("seed", "x", "--seed x")) == (
        "--seed x: error: seed must be a whole number from 0 to 9223372036854775807 or random, "
        "not the text 'x'"
    )


def test_brushes_to_mute_must_exist_and_leave_something() -> None:
    assert said(only=["fx"], without=["7"]) == (
        "--only fx: error: there is no brush 'fx'\nhint: did you mean fox?\n"
        "--without 7: error: there is no brush '7'\nhint: the brushes are: fox, 2"
    )
    Path("scene.yaml").write_text("brushes: [{name: fox, prompt: a fox, mask: fox.png}]")
    assert said(without=["fox"]) == (
        "--without fox: error: there is nothing to paint: no brush is enabled and the background "
        "has no prompt"
    )
    Path("scene.yaml").write_text("background: sea")
    assert said(only=["fox"]) == (
        "--only fox: error: there is no brush 'fox'\nhint: the scene has no brushes"
    )


def test_all_problems_are_told_at_once_in_the_order_of_the_file_then_of_the_options() -> None:
    Path("scene.yaml").write_text(
        "output: {fps: fast}\n"
        "brushes:\n"
        "  - {name: fox, mask: {rect: [0, 0, -5, 5]}, alpha: 7}\n"
        "  - {name: fox, prompt: !x an owl, mask: owl.png}\n"
        "seed: -1\n"
        "size: 9x9\n"
    )
    lines = said("scene.yaml", parse_override("frames=none")).splitlines()
    assert [line for line in lines if "error:" in line] == [
        "scene.yaml:1:15: error: fps must be a number from 0.1 to 240 or auto, not the text 'fast'",
        "scene.yaml:3:5: error: brush fox needs a prompt",
        "scene.yaml:3:30: error: rect has no area: width and height must be more than 0",
        "scene.yaml:3:53: error: alpha must be a number from 0 to 1, not 7",
        "scene.yaml:4:12: error: two brushes are named 'fox' (the first in line 3)",
        "scene.yaml:4:25: error: the YAML tag !x is not allowed",
        "scene.yaml:5:7: error: seed must be a whole number from 0 to 9223372036854775807 or "
        "random, not -1",
        "scene.yaml:6:7: error: size must be WIDTHxHEIGHT or [width, height], each from 64 to "
        "8192, not the text '9x9'",
        "--set frames=none: error: frames must be a whole number from 1 to 1000000 or auto, "
        "not the text 'none'",
    ]


def test_a_mistake_behind_an_anchor_is_told_once() -> None:
    Path("scene.yaml").write_text("brushes: [&a {prompt: a, mask: m.png, alpha: 3}, *a]\n")
    assert said().count("error:") == 1


def test_an_option_does_not_repeat_what_is_wrong_with_the_file() -> None:
    Path("scene.yaml").write_text("background: sea\nbrushes: none\nsampler: fast\n")
    found = said("scene.yaml", *map(parse_override, ["brushes.fox.seed=1", "sampler.steps=3"]))
    assert found.count("error:") == 2


def test_files_that_are_no_scenes() -> None:
    Path("folder").mkdir()
    Path("latin.yaml").write_bytes("background: sea\nprompt: {suffix: Füchse}".encode("latin-1"))
    Path("empty.yaml").write_text("")
    Path("huge.yaml").write_text("#" * (1 << 20) + "\n")
    assert said("scen.yaml") == (
        "scen.yaml: error: there is no such file\nhint: did you mean scene.yaml?"
    )
    assert said("nowhere/x.yaml") == "nowhere/x.yaml: error: there is no such file"
    assert said("folder") == "folder: error: this is a folder, not a scene file"
    assert said("latin.yaml") == (
        "latin.yaml:2:19: error: this is not UTF-8 text: byte 0xFC\n"
        "  prompt: {suffix: F\ufffdchse}\n                    ^\n"
        "hint: save the file as UTF-8, as every text editor can"
    )
    assert said("empty.yaml") == "empty.yaml: error: the scene is empty"
    assert said("huge.yaml") == ("huge.yaml: error: a scene file must not be larger than 1024 KiB")


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        (
            {"sampler": {"steps": 0, "noize": "walk"}, "blur": "much"},
            "{}: error: steps must be a whole number from 1 to 50, not 0\n"
            "{}: error: unknown key 'noize'\nhint: did you mean noise?\n"
            "{}: error: blur must be a number from 0 to 1000, not the text 'much'",
        ),
        (
            {"native_size": 5},
            "scene.yaml:2:8: error: the model file {}: native_size must be a list of two numbers, "
            "not 5\n  model: own\n         ^",
        ),
    ],
)
def test_a_models_own_mistakes_are_told(stated: object, expected: str) -> None:
    Path("own").mkdir()
    Path("own/model_index.json").write_text("{}")
    Path("own/smd.json").write_text(json.dumps(stated))
    Path("scene.yaml").write_text("background: sea\nmodel: own\n")
    assert said() == expected.replace("{}", str(Path("own/smd.json")))


# --- How much is said -----------------------------------------------------------------------------


def test_the_first_problems_of_many_are_told_with_a_count() -> None:
    Path("scene.yaml").write_text("brushes:\n" + "  - {}\n" * 900)
    lines = said().splitlines()
    errors = [line for line in lines if "error:" in line]
    assert len(errors) == 21
    assert errors[19] == "scene.yaml:11:5: error: brush 10 needs a mask"
    assert errors[20] == "scene.yaml: error: 1780 more problems are not shown"


def test_so_are_those_of_its_masks() -> None:
    Path("scene.yaml").write_text("brushes:\n" + "  - {prompt: a, mask: no.png}\n" * 21)
    with pytest.raises(SceneError) as caught:
        paint_scene(load_scene("scene.yaml"))
    assert str(caught.value).count("there is no file 'no.png'") == 20
    assert str(caught.value).endswith("\nscene.yaml: error: one more problem is not shown")


def test_a_count_counts_what_is_wrong_with_masks_and_background() -> None:
    text = "size: 64x64\nbackground: {image: no.png}\nbrushes:\n"
    Path("scene.yaml").write_text(text + "  - {prompt: a, mask: no.png}\n" * 30)
    with pytest.raises(SceneError) as caught:
        paint_scene(load_scene("scene.yaml"))
    assert str(caught.value).endswith("\nscene.yaml: error: 11 more problems are not shown")


HUGE = "x" * 100_000


@pytest.mark.parametrize(
    "text",
    [
        f"background: sea\nmodel: {HUGE}\n",
        f"background: sea\nmodel: {{name: a/b, lora: {HUGE}, vae: {HUGE}}}\n",
        f"background: sea\nseed: {HUGE}\n",
        f"background: sea\nseed: {'9' * 100_000}\n",
        f"background: {{prompt: {'9' * 100_000}}}\n",
        f"background: sea\n{HUGE}: 3\n",
        f"background: sea\n{HUGE}\n",
        f"background: !{HUGE} sea\n",
        f"background: !!int {HUGE}\n",
        f"background: *{HUGE}\n",
        f"background: '{HUGE}\n",
        f"background: sea\nbrushes: [{{name: {HUGE}}}]\n",
        f"background: sea\nbrushes: [{{name: '{'9' * 100_000}', prompt: a, mask: m.png}}]\n",
        f"background: sea\nbrushes:\n  - {HUGE}:a fox\n    mask: b\n",
        f"background: https://{HUGE}\nmodel: https://{HUGE}\n",
        f"background: {{image: '{HUGE}', {HUGE}}}\n",
        f"background: sea\nsize: [{'1, ' * 9000}]\n",
        f"background: sea\n# {HUGE}\nsize: {{{HUGE}: {HUGE}, }}, {HUGE}\n",
    ],
)
def test_no_message_repeats_the_input(text: str) -> None:
    Path("scene.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(SceneError) as caught:
        load_scene("scene.yaml")
    assert all(len(str(problem).encode()) <= 2048 for problem in caught.value.problems)


@pytest.mark.parametrize("typed", [f"{HUGE}=1", f"seed={HUGE}", f"brushes.{HUGE}.seed=1"])
def test_nor_does_one_about_an_option(typed: str) -> None:
    assert len(said("scene.yaml", parse_override(typed))) <= 2048
    assert len(said(only=[HUGE])) <= 2048


# --- What is absurd -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("background: x\nbrushes:\n" + "  - {}\n" * 1001, "a list of at most 1000 brushes"),
        (
            "brushes: [{prompt: a, mask: [" + "{rect: [0, 0, 9, 9]}, " * 1001 + "]}]",
            "a list of at most 1000 images and shapes",
        ),
        (
            "brushes: [{prompt: a, mask: {polygon: [" + "[0, 1], " * 301 + "]}}]",
            "a list of 3 to 300 points [x, y]",
        ),
        (
            "background: x\nmodel: {name: a/b, lora: [" + "a/b, " * 101 + "]}",
            "a list of at most 100 loras",
        ),
    ],
)
def test_what_is_absurd_is_refused_with_the_number_allowed(
    text: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert mask_fields.MAX_POINTS == 30_000
    monkeypatch.setattr(mask_fields, "MAX_POINTS", 300)  # so many take a second to write
    Path("scene.yaml").write_text(text, encoding="utf-8")
    assert f"must be {expected}" in said()


@pytest.mark.slow
def test_large_scenes_are_read_in_linear_time() -> None:
    """Sixteen times as many points or brushes take about as many times as long, not 256 times."""

    def seconds(text: str) -> float:
        Path("scene.yaml").write_text(text, encoding="utf-8")
        took = []
        for _ in range(2):
            began = time.process_time()
            load_scene("scene.yaml")
            took.append(time.process_time() - began)
        return min(took)

    def polygon(count: int) -> str:
        points = ", ".join(f"[{x % 251}, {x % 257}]" for x in range(count))
        return f"brushes: [{{prompt: a, mask: {{polygon: [{points}]}}}}]"

    def brushes(count: int) -> str:
        return "brushes:\n" + "  - {prompt: a, mask: {rect: [0, 0, 9, 9]}}\n" * count

    assert seconds(polygon(8000)) < 64 * seconds(polygon(500))
    assert seconds(brushes(960)) < 64 * seconds(brushes(60))


@pytest.mark.parametrize("broken", ['"\\ud800"', "!foo 1", "!!int x", "{a: 1, a: 2}"])
@pytest.mark.parametrize(
    "text",
    [
        "background: x\nsize: [{}, 192]\n",
        "background: {{prompt: x, color: [1, {}, 3]}}\n",
        "brushes: [{{prompt: a fox, mask: {{rect: [{}, 0, 9, 9]}}}}]\n",
        "brushes: [{{prompt: a fox, mask: {{ellipse: [0, 0, 9, {}]}}}}]\n",
        "brushes: [{{prompt: a fox, mask: {{polygon: [[0, 0], [{}, 9], [9, 0]]}}}}]\n",
        "brushes: [{{prompt: a fox, mask: {{polygon: [[0, 0], {}, [9, 0]]}}}}]\n",
        "brushes: [{{prompt: a fox, mask: [{}]}}]\n",
        "background: x\nsampler: {{timesteps: [999, {}, 5]}}\n",
        "background: x\nmodel: {{name: a/b, lora: [{}]}}\n",
    ],
)
def test_a_broken_element_of_a_list_is_told_at_its_place(text: str, broken: str) -> None:
    Path("scene.yaml").write_text(text.format(broken), encoding="utf-8")
    with pytest.raises(SceneError) as caught:
        load_scene("scene.yaml")
    lead = text.format("\0").splitlines()
    (line,) = [number for number, one in enumerate(lead, 1) if "\0" in one]
    places = [(p.place.line, p.place.column) for p in caught.value.problems]
    assert places[0][0] == line
    assert places[0][1] >= lead[line - 1].index("\0") + 1
