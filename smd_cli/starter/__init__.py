"""The training of the model that comes along, its evaluation, and its weights.

May import everything that a command's work may; nothing imports it.
"""
