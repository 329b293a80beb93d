"""Who is told how the work goes: a log, hooks, Prometheus, Sentry, OpenTelemetry. None of them decides anything about a file."""
