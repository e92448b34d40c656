"""What a bug report needs, and a model measured against diffusers' own pipeline.

May import everything but cli, work, watch and bench.
"""
