"""The same work done by this project and by its peers, measured in one run: ``python -m benchmarks --help``.

A *contender* is one way to have tasks scheduled, a *scenario* is one thing that is measured, a *trial* is one contender
on a database of its own. The figures in the documentation come from here.
"""
