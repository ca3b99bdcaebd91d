from django.apps import AppConfig

from benchmarks import counting


class SiteConfig(AppConfig):
    name = "benchmarks.site"
    label = "benchmarks_site"

    def ready(self) -> None:
        counting.count_django()
