"""The verbs, one module each, in the order in which a file travels.

discover, settle, package, upload, prove, record, dispose. Each takes the record that the stage before it made, and
ports last. None of them retries, counts or reports: that is the engine's.
"""
