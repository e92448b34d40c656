"""What is legal in a scene but hardly meant: the warnings of `smd check`."""
