"""The benchmarks count what was lost and what ran twice, and the page shows what they measured."""

import json
import re
from types import SimpleNamespace

import pytest
from django.db.backends.signals import connection_created

from benchmarks import chart, counting, publish, starts
from benchmarks.__main__ import main, parser
from benchmarks.contenders import CONTENDERS, Order
from benchmarks.results import TARGETS, Cell, Results, Target
from benchmarks.starts import Start, Starts, percentile, tally

NOON = 1_800_000_000.0


def start(number, at, fire_at=0.0):
    return Start(number, fire_at, at, pid=1)


def test_a_task_that_never_started_is_lost():
    found = tally([start(1, NOON + 0.1)], Order(2, first=NOON).due)

    assert (found.due, found.ran, found.lost, found.double) == (2, 1, 1, 0)


def test_a_second_start_of_a_task_is_double():
    found = tally([start(1, NOON + 0.1), start(2, NOON + 0.2), start(1, NOON + 9)], Order(2, first=NOON).due)

    assert (found.ran, found.lost, found.double) == (2, 0, 1)


def test_a_start_before_its_time_is_none_of_its_fire_times():
    assert tally([start(1, NOON - 0.5)], Order(1, first=NOON).due).double == 1


def test_a_start_that_names_its_fire_time_stands_for_that_one():
    due = Order(1, first=NOON, every=1, times=3).due
    found = tally([start(1, NOON + 2.1, fire_at=NOON), start(1, NOON + 2.2, fire_at=NOON)], due)

    assert (found.ran, found.lost, found.double) == (1, 2, 1)
    assert found.lateness == pytest.approx([2.1])


def test_a_start_that_names_none_stands_for_the_latest_that_is_free():
    due = Order(1, first=NOON, every=1, times=3).due
    found = tally([start(1, NOON + 2.1), start(1, NOON + 2.2), start(1, NOON + 2.3), start(1, NOON + 2.4)], due)

    assert (found.ran, found.lost, found.double) == (3, 0, 1)
    assert sorted(found.lateness) == pytest.approx([0.1, 1.2, 2.3])


def test_starts_are_read_as_they_were_written(tmp_path, monkeypatch):
    monkeypatch.setenv(starts.VARIABLE, str(tmp_path / "starts"))
    monkeypatch.setattr(starts, "_descriptor", None)
    read = Starts(tmp_path / "starts")
    starts.write(starts.CANARY)
    starts.write(12, NOON)
    with (tmp_path / "starts").open("a") as file:
        file.write("  half a line")
    read.refresh()

    assert len(read.canary) == 1
    assert [(one.number, one.fire_at) for one in read.tasks] == [(12, NOON)]


def test_percentiles():
    assert percentile([], 0.5) is None
    assert percentile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert percentile([3.0, 1.0, 2.0], 0.99) == 3.0


@pytest.mark.parametrize("name", CONTENDERS)
def test_contenders_are_known_by_their_names(name):
    assert CONTENDERS[name].name == name
    assert CONTENDERS[name].commands()


def results(**rates):
    rows = [
        {"scenario": "burst", "database": "sqlite", "size": 5000, "contender": name, "figures": {"rate": rate}}
        for name, rate in rates.items()
    ]
    return Results({"rows": rows})


def test_a_target_is_a_ratio_of_one_run():
    mine = Cell("burst", "sqlite", 5000, ("rate",))
    theirs = Cell("burst", "sqlite", 5000, ("rate",), "apscheduler")
    target = Target("faster", mine, least=2, to=theirs)

    assert target.read(results(ours=300.0, apscheduler=100.0)) == 3.0
    assert target.read(results(ours=300.0)) is None
    assert [target.is_met(value) for value in (1.9, 2.0)] == [False, True]
    assert target.demand == "at least 2.00"


def test_an_unknown_scenario_is_refused(capsys):
    with pytest.raises(SystemExit):
        main(["--scenario", "sprint"])
    assert "'sprint'" in capsys.readouterr().err


def test_a_part_that_is_added_keeps_the_others_and_replaces_its_own(tmp_path, monkeypatch):
    path = tmp_path / "results.json"
    rates = iter([100, 200, 300])
    monkeypatch.setattr("benchmarks.__main__.measure", lambda *args, **options: {"rate": next(rates)})
    for size, more in (("10", []), ("20", ["--add"]), ("10", ["--add"])):
        part = ["--scenario", "burst", "--database", "sqlite", "--contender", "ours", "--size", size]
        assert main([*part, "--json", str(path), *more]) == 0

    results = Results.read(path)
    assert {row["size"]: row["figures"]["rate"] for row in results.rows} == {10: 300, 20: 200}
    assert "SQLite" in results.data["servers"]["sqlite"]


def test_what_is_kept_of_another_day_says_so(tmp_path, monkeypatch):
    path = tmp_path / "results.json"
    monkeypatch.setattr("benchmarks.__main__.measure", lambda *args, **options: {"rate": 100})
    part = ["--database", "sqlite", "--contender", "ours", "--json", str(path), "--add"]
    for day, scenario, size in ((1, "burst", "10"), (2, "steady", "10"), (2, "burst", "20")):
        monkeypatch.setattr("benchmarks.__main__._now", lambda day=day: f"2026-03-0{day}T08:00:00+00:00")
        assert main([*part, "--scenario", scenario, "--size", size]) == 0

    results = Results.read(path)
    assert results.data["began"].startswith("2026-03-02")
    assert "Some of these were measured on 2026-03-01, apart" in publish.tables("burst", results)
    assert "measured on" not in publish.tables("steady", results)


def test_every_option_is_documented():
    page = (publish.ROOT / "docs" / "how-to" / "tune.md").read_text(encoding="utf-8")
    options = {word for action in parser()._actions for word in action.option_strings if word.startswith("--")}

    assert set(re.findall(r"^\| `(--\w+)` \|", page, re.MULTILINE)) == options - {"--help"}
    for choices in (action.choices for action in parser()._actions if action.choices):
        assert set(choices) <= set(re.findall(r"`([\w-]+)`", page))


def test_the_page_has_a_place_for_each_scenario():
    page = publish.PAGE.read_text(encoding="utf-8")

    assert {match[1] for match in publish.MARKED.finditer(page)} == {"made", "targets", *publish.SCENARIOS}


def test_the_page_and_the_picture_show_the_results():
    measured = Results.read(publish.RESULTS)
    page = publish.PAGE.read_text(encoding="utf-8")

    assert publish.filled(page, measured) == page, "run: python -m benchmarks.publish"
    assert chart.draw(measured.rows, publish.PICTURED) == publish.PICTURE.read_text(encoding="utf-8")


def test_the_results_name_no_place_of_a_machine():
    assert not re.search(r"/(tmp|home|work|root|Users)/", json.dumps(Results.read(publish.RESULTS).data))


def test_targets_ask_for_what_is_measured():
    for target in TARGETS:
        for cell in filter(None, (target.cell, target.to, target.beyond)):
            scenario = publish.SCENARIOS[cell.scenario]
            assert cell.size in scenario.sizes
            assert set(cell.keys) <= {column.key for column in scenario.columns}


def test_a_statement_counts_once_however_often_its_connection_was_opened(tmp_path, monkeypatch):
    monkeypatch.setenv(counting.VARIABLE, str(tmp_path))
    monkeypatch.setattr(counting, "_counter", None)
    connection = SimpleNamespace(execute_wrappers=[])
    counting.count_django()
    try:
        for _ in range(3):
            connection_created.send(type(connection), connection=connection)
    finally:
        connection_created.disconnect(dispatch_uid=counting.VARIABLE)
    (count,) = connection.execute_wrappers
    count(lambda *arguments: None, "SELECT 1", [], False, {})
    count(lambda *arguments: None, "INSERT …", [[1], [2]], True, {})

    assert counting.read(tmp_path) == 3
