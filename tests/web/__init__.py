"""The page: what lets in and what refuses, and the page in a real browser."""
