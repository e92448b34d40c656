"""The mathematics: schedule, masks, noise, regions, then plan, step and stream.

In: a `Scene`, paint, and a `Backbone` (`contract`), which the engine asks. Out: frames of latents
and their pixels. Letters and sources stand where they are used.
May import errors, models and scene; torch, but not in schedule, masks and layers.
"""
