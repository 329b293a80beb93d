"""`outhaul web`: one page for one machine, off unless it is started. Every request comes through `gate.py`.

Nothing here removes a file.
"""
