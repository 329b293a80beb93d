"""A run that Dask spreads over workers."""
