"""What a process does that competes for a lock; it stands here since a spawned process must be able to import it."""

from django_sched_tasks.autostart.lock import HostLock


def compete(path, rounds, barrier, results):
    """Try for the lock in the same instant as the others, again and again; put whether it was won each time."""
    lock, won = HostLock(path), []
    for _ in range(rounds):
        barrier.wait(30)
        won.append(lock.acquire())
        barrier.wait(30)
        lock.release()
    results.put(won)
