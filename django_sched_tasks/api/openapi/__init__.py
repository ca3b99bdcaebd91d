"""The schema of this API for drf-spectacular: what it cannot read off the views.

Its extensions find the views and serializers by their names, so nothing else here knows of them, and a site without
drf-spectacular never imports them.
"""

from django_sched_tasks.api.openapi import components, parameters, views

__all__ = ["components", "parameters", "views"]
