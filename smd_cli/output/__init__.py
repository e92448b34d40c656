"""Frames to files that appear whole or not at all: stills, sequences, GIF, APNG, WebP, films.

In: pixels (H, W, 3) with text. Out: paths. May import errors and scene.
"""
