"""What the commands do, callable from Python too: check, render, rerun, info, unpack and so on.

In: a `Request`. Out: jobs, then files, reports and sentences.
May import everything but cli, watch, bench and doctor.
"""
