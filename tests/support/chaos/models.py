from django.db import models


class Effect(models.Model):
    """What one call of a task function leaves behind; an execution that was called twice left two.

    ``node`` and ``seen`` are what the execution's row said at that moment, asked on another connection than the
    engine's: a function that is called before its start is committed gives itself away.
    """

    execution = models.BigIntegerField(db_index=True)
    task = models.BigIntegerField(null=True)
    kind = models.CharField(max_length=16)
    fire_at = models.DateTimeField()
    attempt = models.IntegerField()
    node = models.CharField(max_length=36)
    seen = models.CharField(max_length=16)
    pid = models.IntegerField()
    at = models.DateTimeField()

    def __str__(self):
        return f"execution {self.execution}"
