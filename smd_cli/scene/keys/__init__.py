"""Readers of the scene's keys, a file a section, and the table of all of them."""
