from django.db import models


class Effect(models.Model):
    """One real effect of one call of a task function; a function that ran twice left two."""

    task = models.TextField()
    key = models.TextField(default="")
    fire_at = models.DateTimeField(null=True)
    at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.task} {self.key}"
