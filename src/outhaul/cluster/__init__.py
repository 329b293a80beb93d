"""One tree, many workers: a run that Dask spreads over processes and machines (decision 0027).

The engine that spreads the work keeps nothing: what is done stands in the ledger that all workers share, or in one of each, from
where the driver gets it (decision 0032). `plan.py` says what a batch is, `tasks.py` is what a worker does, `driver.py` hands out
the work and adds up, `launching.py` reaches Dask.
"""
