"""What the user wrote, checked and frozen: no torch in here.

In: a scene file and options. Out: a `SceneFile` with its `Scene`, and the paint of its masks.
`text/` reads YAML, `keys/` the sections, `paint/` pictures and shapes; `parse` joins them.
May import errors and models.
"""
