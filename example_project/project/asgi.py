"""The site for ASGI servers. Nothing here starts the scheduler: a server that loads this starts it by itself."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")

application = get_asgi_application()
