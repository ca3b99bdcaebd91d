"""Metrics for Prometheus: of all nodes together from the database, and of the runs of this process from signals."""
