"""The command-line tool for painting with meanings: StreamMultiDiffusion driven by scene files.

Read the folders as a river: cli → work → scene, models → engine → backbone → output. watch and
bench stand on work, doctor beside it, and starter trains the model that comes along. Imports go
one way; tests/test_house.py holds the order.
"""

__version__ = "0.1.0"
