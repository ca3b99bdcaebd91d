from django.db import models


class Effect(models.Model):
    """What a call of a task leaves behind; a fire time that ran twice left two."""

    label = models.CharField(max_length=64)
    fire_at = models.DateTimeField()
    attempt = models.IntegerField()
    pid = models.IntegerField()

    def __str__(self):
        return f"{self.label} {self.fire_at}"
