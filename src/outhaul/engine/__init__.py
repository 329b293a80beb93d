"""Order, time and concurrency: one thread decides, workers carry and release batches of files.

The stages know what to do with one file; the engine knows when, how many at once, what to do when it fails, and how to
account for every file it has seen. It reaches the world through `ports` only, so it can be replayed.
"""
