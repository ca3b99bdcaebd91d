from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class PrometheusConfig(AppConfig):
    name = "django_sched_tasks.contrib.prometheus"
    label = "sched_tasks_prometheus"
    verbose_name = _("Metrics of scheduled tasks")

    def ready(self) -> None:
        from prometheus_client import REGISTRY  # noqa: PLC0415 - an extra

        from django_sched_tasks.contrib.prometheus import exporter  # noqa: PLC0415 - the apps are loaded first
        from django_sched_tasks.contrib.prometheus.cluster import ClusterCollector  # noqa: PLC0415
        from django_sched_tasks.contrib.prometheus.runs import RunMetrics  # noqa: PLC0415

        REGISTRY.register(ClusterCollector())
        RunMetrics(REGISTRY).connect()
        exporter.connect()
