"""What the commands do, callable from Python too: init, check, masks, render, compare, unpack.

In: a `Request`. Out: jobs, then files, reports and sentences.
May import everything but cli, watch, bench and doctor.
"""
