"""APScheduler's executor: passes a claimed execution on to the recorder, and tells APScheduler how it ended."""

from __future__ import annotations

from datetime import datetime

from apscheduler.executors.base import BaseExecutor as APSchedulerExecutor

from django_sched_tasks.engine.jobstore import ClaimedJob, DatabaseJobStore
from django_sched_tasks.engine.recorder import Recorder


class RecordingExecutor(APSchedulerExecutor):
    """One for each alias. The run itself happens in an executor of ours, once its start is committed."""

    def __init__(self, store: DatabaseJobStore, recorder: Recorder) -> None:
        super().__init__()
        self._store = store
        self._recorder = recorder

    def submit_job(self, job: ClaimedJob, run_times: list[datetime]) -> None:
        # APScheduler's own counts instances per process; ours are limited in the database, over all nodes.
        claim, function = job.accepted
        self._recorder.accept(claim, function)
        self._store.submitted(claim.id)

    def _do_submit_job(self, job: ClaimedJob, run_times: list[datetime]) -> None:
        raise NotImplementedError("submit_job does it all")
