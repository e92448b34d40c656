"""Models behind one contract."""
