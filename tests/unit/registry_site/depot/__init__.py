"""An app whose modules the registry may or may not open."""
