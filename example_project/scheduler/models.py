from django.db import models
from django.urls import reverse


class Project(models.Model):
    """A project as the projects file last told it; one that left the file is closed, not deleted."""

    class Status(models.TextChoices):
        ACTIVE = "active", "Active"
        CLOSED = "closed", "Closed"

    code = models.CharField(max_length=20, unique=True)
    name = models.CharField(max_length=120)
    owner = models.CharField(max_length=80, blank=True)
    budget = models.DecimalField(max_digits=12, decimal_places=2, default=0)
    status = models.CharField(max_length=10, choices=Status, default=Status.ACTIVE)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["code"]

    def __str__(self) -> str:
        return f"{self.code} {self.name}"


class DailyReport(models.Model):
    """What the projects looked like on one day."""

    day = models.DateField(unique=True)
    summary = models.TextField()
    totals = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-day"]

    def __str__(self) -> str:
        return f"Report of {self.day}"

    def get_absolute_url(self) -> str:
        return reverse("reports:report", args=[self.day.isoformat()])
