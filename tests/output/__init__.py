"""Tests of the writers; they share `frames`."""
