from django.core.management.base import BaseCommand
from django.core.wsgi import get_wsgi_application


class Command(BaseCommand):
    help = "Loads the application as a server would, and serves nothing."

    def handle(self, *args, **options):
        get_wsgi_application()
