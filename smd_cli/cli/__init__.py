"""The command line: options become a request, and errors an exit code.

In: what was typed. Out: a call of `work`, `watch`, `models`, `bench` or `doctor`; a file a command.
May import everything; nothing imports it. Heavy imports stand inside the commands that need them.
"""
