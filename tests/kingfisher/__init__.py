"""Kingfisher Archive: its rules, and its whole way with real servers."""
