"""An app with a dotted name."""
