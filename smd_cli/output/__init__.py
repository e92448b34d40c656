"""Writers: frames in, whole files out.

`plan_targets` reads the `-o` names, `open_outputs` takes the frames.
"""
