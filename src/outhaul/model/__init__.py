"""The nouns: what a job, a file, a proof and a receipt are.

Everything here is immutable (but for the `Tally`, a count) and does no input or output; time comes in as values.
"""
