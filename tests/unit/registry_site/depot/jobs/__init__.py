"""Task modules; the report is defined below."""

from depot.jobs.daily import report

__all__ = ["report"]
