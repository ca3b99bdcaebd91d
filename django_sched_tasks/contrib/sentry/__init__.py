"""What Sentry wants to know: the errors of runs, and a check-in for each run of a schedule."""
