"""The beginning and the end of what a run prints."""

import pytest

from django_sched_tasks.live.buffer import HeadAndTail


def written(*parts, limit=20):
    kept = HeadAndTail(limit)
    for part in parts:
        kept.write(part)
    return kept.text()


@pytest.mark.parametrize("parts", [[], [""], ["short"], ["a" * 20], list("twenty characters 20")])
def test_what_fits_is_kept_whole(parts):
    assert written(*parts) == "".join(parts)


@pytest.mark.parametrize("size", [1, 3, 7, 20, 1000])
def test_of_more_the_beginning_and_the_end_are_kept_however_it_is_written(size):
    text = "".join(chr(65 + number % 26) for number in range(1000))
    parts = [text[start : start + size] for start in range(0, 1000, size)]
    assert written(*parts) == f"{text[:10]}\n[… 980 characters left out …]\n{text[-10:]}"


def test_memory_does_not_grow_with_what_is_written():
    kept = HeadAndTail(1000)
    for _ in range(10_000):
        kept.write("x" * 10)
    assert kept.length == 100_000
    assert sum(map(len, kept._head)) + sum(map(len, kept._tail)) < 1100
