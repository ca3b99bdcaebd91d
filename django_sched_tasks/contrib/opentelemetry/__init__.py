"""Spans for OpenTelemetry: one for each run, in the trace of whoever asked for it."""
