"""What is of use only where something else is installed."""
