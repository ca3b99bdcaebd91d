"""A lock that the operating system holds for a process, and drops when that process dies, however it dies."""

from __future__ import annotations

import hashlib
import logging
import os
import sys
import tempfile
from pathlib import Path

from django.conf import settings

from django_sched_tasks import conf, database

logger = logging.getLogger(__name__)

if sys.platform == "win32":
    import msvcrt

    def _try_lock(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _try_lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


# In a directory that anybody may write, a symbolic link may have been put there to make us create another file.
_NO_SYMLINK = getattr(os, "O_NOFOLLOW", 0)


class HostLock:
    """One process of this host holds it at a time.

    It only saves work: with a lock that cannot be used, several nodes run on this host, and the database keeps them
    apart. The file is never deleted, so nobody can lock a file that another has just unlinked.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._descriptor: int | None = None

    def acquire(self) -> bool:
        """Take it, or say at once that another process has it.

        Raises:
            OSError: the file cannot be opened or locked at all.
        """
        if self._descriptor is not None:
            return True
        # Programs that this process starts do not inherit it: Python opens all files so.
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | _NO_SYMLINK, 0o600)
        try:
            _try_lock(descriptor)
        except (BlockingIOError, PermissionError):  # PermissionError is what Windows says of a lock held by another
            os.close(descriptor)
            return False
        except OSError:
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        return True

    def release(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def forget(self) -> None:
        """In a forked child: close the inherited descriptor, or the lock would outlive the parent that holds it."""
        self.release()


def lock_path() -> Path:
    """The file of this site on this host: ``LOCK_FILE``, else one in the temp directory named by user and database."""
    configured = conf.lock_file()
    if configured is not None:
        return Path(configured)
    own = settings.DATABASES[database.alias()]
    identity = [str(own.get(key, "")) for key in ("ENGINE", "NAME", "HOST", "PORT")]
    identity += [os.environ.get("DJANGO_SETTINGS_MODULE", ""), str(settings.ROOT_URLCONF)]
    digest = hashlib.sha256("|".join(identity).encode()).hexdigest()[:16]
    user = getattr(os, "getuid", lambda: "user")()
    return Path(tempfile.gettempdir()) / f"django-sched-tasks-{user}-{digest}.lock"
