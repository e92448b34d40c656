"""Models behind the engine's contract.

In: a `ModelRef`. Out: a `Backbone` that encodes prompts and pictures, predicts and decodes.
`loading/` reads folders, single files and LoRAs; `families/` holds an adapter a family.
May import errors, models, scene and engine.
"""
