"""Configuration, from text to jobs.

`native.load` reads outhaul's own format; `checks.problems` holds jobs, from wherever they come, against the machine.
Nothing here opens a network connection or writes a file.
"""
