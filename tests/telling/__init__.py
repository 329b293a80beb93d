"""Who is told: hooks, the log, metrics over HTTP, Sentry and traces."""
