"""The live loop: follows files, paints, and shows it on the terminal and on a page.

In: a `Request` and saves of any editor. Out: pictures, films, events, the page.
May import everything but cli, bench and doctor.
"""
