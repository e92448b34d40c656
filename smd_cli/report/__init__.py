"""What people and scripts are told while a command works, and the streams it goes to.

In: events and errors. Out: lines on stderr, paths or JSON on stdout.
May import errors and units.
"""
