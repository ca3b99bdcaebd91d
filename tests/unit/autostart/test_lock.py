"""The lock of a host: one holder, released by death, and a file that cannot be used is an error to tell."""

import multiprocessing

import pytest
from django.test import override_settings

from django_sched_tasks.autostart.lock import HostLock, lock_path
from tests.support.locking import compete


def test_one_of_four_processes_gets_it_in_each_of_fifty_rounds(tmp_path):
    context = multiprocessing.get_context("spawn")
    barrier, results = context.Barrier(4), context.Queue()
    path = tmp_path / "host.lock"
    processes = [context.Process(target=compete, args=(path, 50, barrier, results)) for _ in range(4)]
    for process in processes:
        process.start()
    won = [results.get(timeout=60) for _ in processes]
    for process in processes:
        process.join(10)

    assert [sum(round_) for round_ in zip(*won, strict=True)] == [1] * 50


def test_a_second_one_waits_until_the_first_lets_go(tmp_path):
    first, second = HostLock(tmp_path / "host.lock"), HostLock(tmp_path / "host.lock")
    assert first.acquire()
    assert first.acquire()  # it is ours already
    assert not second.acquire()
    first.release()
    assert second.acquire()
    second.release()
    assert second.path.exists()


@pytest.mark.parametrize("name", ["absent/host.lock", "directory", "link"])
def test_a_file_that_cannot_be_used_is_an_error_of_the_system(tmp_path, name):
    (tmp_path / "directory").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match=str(tmp_path)):
        HostLock(tmp_path / name).acquire()
    assert not (tmp_path / "elsewhere").exists()


def test_the_file_is_the_one_that_the_settings_name(settings, tmp_path):
    settings.SCHED_TASKS = {"LOCK_FILE": tmp_path / "mine.lock"}
    assert lock_path() == tmp_path / "mine.lock"


def test_sites_and_databases_have_files_of_their_own(settings):
    first = lock_path()
    assert lock_path() == first
    with override_settings(ROOT_URLCONF="other.urls"):
        assert lock_path() != first
