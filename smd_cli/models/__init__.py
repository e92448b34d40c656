"""Which model a name means and what is known of it before it is loaded: no torch in here.

In: a name of the scene or the command line. Out: a `ModelRef`, its facts, and files that lie here,
downloaded where they do not. A family of models is one record in `families`.
May import errors, units and report.
"""
