"""A table as bare as it can be, to hold the API against."""

from typing import ClassVar

from django.db import models


class Note(models.Model):
    name = models.CharField(max_length=128)
    func = models.CharField(max_length=255)
    text = models.TextField(default="")
    created_at = models.DateTimeField(auto_now_add=True)

    objects: ClassVar[models.Manager["Note"]] = models.Manager()

    def __str__(self) -> str:
        return self.name
