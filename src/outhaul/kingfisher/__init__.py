"""Crawls of Kingfisher Collect, archived month by month: what the program Kingfisher Archive decides.

Which crawls there are, says the database of Kingfisher Process (`selection.py`); whether one is worth a place in the archive,
say `scrapy_log.py` and `rules.py`, which are pure; what the bucket has, `months.py`; what was decided, `memory.py`. Files are
carried, proved and let go by the engine alone: `moving.py` makes the jobs for it.
"""
