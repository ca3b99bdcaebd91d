"""Alerts: what keeps tasks from running well is told once, and again when it is over.

By e-mail, webhook or signal. The nodes look, one of them at a time; what is to be told stands in the database first, so
that neither a killed process nor a receiver that is away loses it.
"""
