"""A private package."""
