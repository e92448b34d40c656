"""smd: paint with meanings, from a scene file (StreamMultiDiffusion, arXiv 2403.09055)."""

__version__ = "0.1.0"
