"""The store of runs, on SQLite and on PostgreSQL: what happens to a run, whose it is, what is said when it fails."""

import math
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import get_ident
from types import SimpleNamespace

import pytest
from sqlalchemy import create_engine, insert, select, text, update
from sqlalchemy.exc import IntegrityError

from explorer.errors import RecipeError, RunError, StoreError
from explorer.runs import store as runs
from explorer.runs.crew import Crew
from explorer.runs.processes import Process
from explorer.runs.states import MOVES, moved
from explorer.runs.store import STATES, Store, open_store
from explorer.runs.tables import RUNS, SCHEMA, SCHEMAS
from explorer.settings import Settings
from explorer.training.recipe import Recipe
from tests.support.postgres import UnavailableError, running_postgres
from tests.support.stores import FACTS, PROGRESS, TINY, an_epoch

MINE, OTHER = "key of one visitor", "key of another"


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    try:
        with running_postgres() as address:
            yield address
    except UnavailableError as reason:
        pytest.skip(str(reason))


@pytest.fixture(params=["sqlite", "postgresql"])
def address(request: pytest.FixtureRequest) -> Iterator[str]:
    """Of an empty database; "" is the SQLite file in the store's folder."""
    if request.param == "sqlite":
        yield ""
        return
    server = request.getfixturevalue("postgres")
    engine = create_engine(server.replace("://", "+psycopg://", 1) + "/postgres", isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("DROP DATABASE IF EXISTS runs WITH (FORCE)"))
        connection.execute(text("CREATE DATABASE runs"))
    engine.dispose()
    yield f"{server}/runs"


@pytest.fixture
def store(address: str, tmp_path: Path) -> Iterator[Store]:
    store = Store(address, tmp_path / "runs")
    yield store
    store.database.close()


def another(store: Store) -> Store:
    """The same store as another process has it."""
    return Store(store.database.address, store.folder)


# -------------------------------------------------------------------------------------------------------------- states


@pytest.mark.parametrize("event", MOVES)
@pytest.mark.parametrize("state", STATES)
def test_only_what_the_table_has_happens(event: str, state: str) -> None:
    if state in MOVES[event]:
        assert moved("abc", state, event) in STATES
    else:
        with pytest.raises(RunError, match=f"^The run abc is {state} and cannot be {event}: only one that is .* can.$"):
            moved("abc", state, event)


def test_every_state_is_reached_and_a_finished_run_stays() -> None:
    reached = {after for moves in MOVES.values() for after in moves.values()}
    assert reached == set(STATES)
    assert [event for event, moves in MOVES.items() if "finished" in moves] == []


def test_run_goes_from_the_queue_to_its_end_and_a_restarted_server_shows_the_same(store: Store) -> None:
    created = store.create(TINY, owner=None, name="  first\nrun ")
    assert (created.state, created.position, created.name, created.recipe) == ("queued", 1, "first run", TINY)
    assert (created.started_s, created.progress, created.facts, store.log(created.id)) == (None, None, None, "")

    assert store.claim("w") == created.id
    store.describe(created.id, device="CPU", facts=FACTS, worker="w")
    assert not store.beat(created.id, PROGRESS, worker="w")
    for number in (0, 1, 2):
        store.add_epoch(created.id, an_epoch(number), worker="w")
    running = store.get(created.id)
    assert (running.state, running.position, running.progress, running.facts) == ("running", None, PROGRESS, FACTS)
    store.say(created.id, "Half done.")
    store.finish(created.id, "finished", worker="w")

    seen = another(store)
    run = seen.get(created.id)
    assert (run.state, run.device, run.error, run.is_active) == ("finished", "CPU", "", False)
    assert created.created_s <= (run.started_s or 0) <= (run.ended_s or 0)
    assert seen.epochs(run.id) == tuple(map(an_epoch, (0, 1, 2)))
    assert seen.list(None) == (run,)
    assert seen.log(run.id).endswith(" Half done.\n")


def test_epoch_told_again_takes_the_place_of_the_first_and_may_hold_no_number(store: Store) -> None:
    run = store.create(TINY, owner=None).id
    store.claim()
    store.add_epoch(run, an_epoch(1))
    store.add_epoch(run, an_epoch(1, loss=math.nan))
    (epoch,) = store.epochs(run)
    assert epoch.train_loss is not None and math.isnan(epoch.train_loss)


def test_cancelled_in_the_queue_at_once_and_in_training_when_its_worker_says_so(store: Store) -> None:
    first, second, third = (store.create(TINY, owner=None).id for _ in range(3))
    assert store.claim() == first
    store.cancel(second, None)
    assert (store.get(second).state, store.get(third).position) == ("cancelled", 1)

    store.cancel(first, None)
    assert (store.get(first).state, store.get(first).is_stopping) == ("running", True)
    assert store.beat(first)
    store.finish(first, "cancelled")
    assert (store.get(first).state, store.get(first).is_stopping) == ("cancelled", False)
    with pytest.raises(RunError, match="is cancelled and cannot be cancelled"):
        store.cancel(first, None)


def test_resumed_run_goes_to_the_end_of_the_queue_with_its_epochs(store: Store) -> None:
    first, second = (store.create(TINY, owner=None).id for _ in range(2))
    store.claim()
    store.add_epoch(first, an_epoch(0))
    store.finish(first, "failed", "The disk is full.")
    assert (store.get(first).error, store.get(first).is_resumable) == ("The disk is full.", True)

    store.resume(first, None)
    run = store.get(first)
    assert (run.state, run.position, run.error, run.ended_s) == ("queued", 2, "", None)
    assert (store.claim(), store.claim(), store.claim()) == (second, first, None)
    assert store.epochs(first) == (an_epoch(0),)
    assert store.get(first).started_s == run.started_s


def test_run_that_cannot_be_made_is_not_there(store: Store) -> None:
    with pytest.raises(RecipeError):
        store.create(Recipe(epochs=0), owner=None)
    assert store.list(None) == ()


# ------------------------------------------------------------------------------------------------------------ visitors


def test_visitor_sees_all_by_id_and_changes_only_what_is_theirs(store: Store) -> None:
    mine = store.create(TINY, owner=MINE, name="mine").id
    line = store.create(TINY, owner=None).id
    assert (store.get(mine, MINE).is_mine, store.get(mine, OTHER).is_mine, store.get(line, MINE).is_mine) == (
        True,
        False,
        False,
    )
    assert ([run.id for run in store.list(MINE)], store.list(OTHER)) == ([mine], ())
    assert {run.id for run in store.list(None) if run.is_mine} == {mine, line}

    changes = (store.cancel, store.delete, store.resume, lambda run, owner: store.rename(run, "theirs", owner))
    for change in changes:
        with pytest.raises(RunError, match="another visitor's"):
            change(mine, OTHER)
    with pytest.raises(RunError, match="without a key"):
        store.list("")
    store.rename(mine, "x" * 200 + "\0\ud800", MINE)
    assert (store.get(mine).state, store.get(mine).name) == ("queued", "x" * 80)


def test_only_the_sha256_of_a_key_is_kept(store: Store) -> None:
    store.create(TINY, owner=MINE)
    with store.database.reading() as connection:
        (row,) = connection.execute(select(RUNS))
        assert len(row.owner) == 64 and MINE not in str(row)


def test_deleted_run_can_be_restored_until_its_files_are_removed(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    run = store.create(TINY, owner=MINE).id
    store.claim()
    store.add_epoch(run, an_epoch(0))
    store.delete(run, MINE)
    assert store.beat(run), "it is cancelled as well"
    store.finish(run, "cancelled")
    assert (store.list(MINE), [each.id for each in store.list(MINE, deleted=True)]) == ((), [run])
    with pytest.raises(RunError, match="There is no run"):
        store.get(run)

    store.purge()
    store.restore(run, MINE)
    assert (store.get(run).state, store.folder_of(run).is_dir()) == ("cancelled", True)

    store.delete(run, MINE)
    monkeypatch.setattr(runs, "UNDO_S", -1)
    store.purge()
    assert (store.list(MINE, deleted=True), store.epochs(run), store.folder_of(run).exists()) == ((), (), False)
    with pytest.raises(RunError, match="There is no run"):
        store.restore(run, MINE)


def deleted_for(store: Store, run: str, seconds: float) -> None:
    """Delete the run as if it had been done so long ago."""
    store.delete(run, MINE)
    with store.database.writing() as connection:
        connection.execute(update(RUNS).where(RUNS.c.id == run).values(deleted_s=time.time() - seconds))


def test_run_is_restored_in_time_alone_also_where_nothing_was_removed_yet(store: Store) -> None:
    in_time, too_late = (store.create(TINY, owner=MINE).id for _ in range(2))
    deleted_for(store, in_time, runs.UNDO_S - 30)
    deleted_for(store, too_late, runs.UNDO_S + 1)

    store.restore(in_time, MINE)
    with pytest.raises(RunError) as caught:
        store.restore(too_late, MINE)

    assert str(caught.value) == (
        f"The run {too_late} was deleted more than 10 minutes ago: it can no longer be restored."
    )
    assert [run.id for run in store.list(MINE)] == [in_time]


def test_run_whose_files_are_being_removed_is_not_restored_whatever_the_clock_of_another_host(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = store.create(TINY, owner=MINE).id
    deleted_for(store, run, runs.UNDO_S + 1)
    other, remove = another(store), shutil.rmtree
    refused: list[str] = []

    def remove_while_another_restores(folder: Path, **options: bool) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(runs, "UNDO_S", runs.UNDO_S + 3600)  # its clock is an hour behind
            with pytest.raises(RunError) as caught:
                other.restore(run, MINE)
        refused.append(str(caught.value))
        remove(folder, **options)

    monkeypatch.setattr(runs.shutil, "rmtree", remove_while_another_restores)
    store.purge()

    assert len(refused) == 1 and "can no longer be restored" in refused[0]
    assert not store.folder_of(run).exists()
    with pytest.raises(RunError, match="There is no run"):
        store.restore(run, MINE)
    other.database.close()


def test_removal_that_was_broken_off_is_finished_by_the_next(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    run = store.create(TINY, owner=MINE).id
    deleted_for(store, run, runs.UNDO_S + 1)

    def broken_off(folder: Path, **options: bool) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(runs.shutil, "rmtree", broken_off)
        with pytest.raises(KeyboardInterrupt):
            store.purge()
    assert store.list(MINE, deleted=True) == () and store.folder_of(run).exists()
    store.purge()

    assert not store.folder_of(run).exists()
    with store.database.reading() as connection:
        assert connection.execute(select(RUNS)).all() == []


def test_restoring_and_removing_at_once_leave_each_run_whole_or_gone(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those who restore have clocks that are behind; each store with connections of its own, as processes have them."""
    made = [store.create(TINY, owner=MINE).id for _ in range(24)]
    for run in made:
        deleted_for(store, run, runs.UNDO_S + 1)
    stores = [another(store) for _ in range(4)]
    late = set[int]()
    clock = SimpleNamespace(time=lambda: time.time() - 3600 * (get_ident() in late))
    monkeypatch.setattr(runs, "time", clock)

    def restore(number: int) -> None:
        late.add(get_ident())
        for run in made[number::4]:
            with suppress(RunError):
                stores[number].restore(run, MINE)

    with ThreadPoolExecutor(4) as restoring, ThreadPoolExecutor(2) as removing:
        restored = [restoring.submit(restore, number) for number in range(4)]
        removed = [removing.submit(stores[number].purge) for number in (0, 1)]
        for each in (*restored, *removed):
            each.result()
    store.purge()

    left = {run.id for run in store.list(MINE)}
    assert {path.name for path in store.folder.iterdir() if path.is_dir()} == left
    for each in stores:
        each.database.close()


@pytest.mark.parametrize("run", ["../../etc", "", "a/b", "A" * 16, "x\0y", "starts", "abcdefgh23456789\n"])
def test_odd_id_is_neither_a_run_nor_a_path(run: str, store: Store) -> None:
    with pytest.raises(RunError, match="There is no run"):
        store.get(run)
    with pytest.raises(RunError, match="There is no run"):
        store.cancel(run, None)
    with pytest.raises(RunError, match="There is no run"):
        store.weights_path(run)


# ------------------------------------------------------------------------------------------------------------- workers


def test_no_two_workers_get_the_same_run(store: Store) -> None:
    """Each with connections of its own, as processes have them; all begin with an empty database."""
    stores = [another(store) for _ in range(6)]
    with ThreadPoolExecutor(len(stores)) as pool:
        made = list(pool.map(lambda number: stores[number % 6].create(TINY, owner=None).id, range(24)))

        def drain(number: int) -> list[str]:
            return list(iter(lambda: stores[number].claim(f"w{number}"), None))

        claimed = [run for each in pool.map(drain, range(6)) for run in each]
    assert sorted(claimed) == sorted(made)
    for each in stores:
        each.database.close()


def test_no_host_has_more_workers_than_its_limit(store: Store) -> None:
    stores = [another(store) for _ in range(6)]
    with ThreadPoolExecutor(len(stores)) as pool:
        joined = list(pool.map(lambda each: Crew(each.database).join("here", limit=2), stores))
    crew = Crew(store.database)
    workers = [worker for worker in joined if worker]
    assert len(workers) == 2 and crew.join("there", limit=1) is not None

    assert crew.arrive(workers[0], Process(7, "mark"))
    assert {each.process for each in crew.members() if each.host == "here"} == {None, Process(7, "mark")}
    crew.leave(workers[0])
    assert not crew.arrive(workers[0], Process(7, "mark"))
    assert crew.join("here", limit=2) is not None
    for each in stores:
        each.database.close()


def test_worker_that_was_given_up_writes_nothing_any_more(store: Store) -> None:
    run = store.create(TINY, owner=None).id
    store.claim("first")
    (work,) = store.at_work()
    store.beat(run, worker="first")
    assert not store.give_up(work, "Lost."), "it has given a sign of life since"
    assert store.give_up(store.at_work()[0], "Lost.")
    assert (store.get(run).state, store.get(run).error) == ("interrupted", "Lost.")
    store.resume(run, None)
    assert store.claim("second") == run

    for write in (
        lambda: store.beat(run, PROGRESS, worker="first"),
        lambda: store.add_epoch(run, an_epoch(0), worker="first"),
        lambda: store.finish(run, "finished", worker="first"),
    ):
        with pytest.raises(RunError, match="no longer trained by this worker"):
            write()
    assert (store.get(run).state, store.get(run).progress, store.epochs(run)) == ("running", None, ())


# --------------------------------------------------------------------------------------------------- what can go wrong


def test_tables_of_a_later_version_are_left_alone(store: Store) -> None:
    store.list(None)
    with store.database.writing() as connection:
        connection.execute(update(SCHEMAS).values(version=SCHEMA + 1))
    with pytest.raises(
        StoreError, match=f"later version of the app .its tables have version {SCHEMA + 1}, this app knows {SCHEMA}"
    ):
        another(store).list(None)


def test_change_that_fails_in_the_middle_changes_nothing(store: Store) -> None:
    run = store.create(TINY, owner=None).id

    def change() -> None:
        with store.database.writing() as connection:
            connection.execute(update(RUNS).values(state="failed"))
            connection.execute(insert(SCHEMAS).values(version=SCHEMA))  # a second one

    with pytest.raises(IntegrityError):
        change()
    assert store.get(run).state == "queued"


def test_unreachable_server_is_said_in_one_sentence_without_the_password(tmp_path: Path) -> None:
    store = Store("postgresql://me:secret@127.0.0.1:1/runs", tmp_path)
    with pytest.raises(StoreError) as caught:
        store.list(None)
    said = str(caught.value)
    assert said.startswith("The database of the runs postgresql://me:***@127.0.0.1:1/runs cannot be used (")
    assert "secret" not in said and "\n" not in said


def test_file_that_is_no_database_is_said(tmp_path: Path) -> None:
    (tmp_path / "runs.sqlite").write_text("something else, long enough to be looked at " * 99, encoding="utf-8")
    with pytest.raises(StoreError, match=r"runs\.sqlite cannot be used \(file is not a database\)"):
        Store("", tmp_path).list(None)


def test_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=r"The folder '.*' of the runs cannot be made \(Not a directory\)"):
        Store("", tmp_path / "file" / "runs").create(TINY, owner=None)


def test_full_disk_is_said_and_the_run_is_not_half_made(tmp_path: Path) -> None:
    store = Store("", tmp_path)
    store.create(TINY, owner=None)
    engine = store.database._ready()
    with engine.connect() as connection:  # SQLite says the same of a file that may not grow
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")

    def fill() -> None:
        while True:
            store.create(TINY, owner=None, name="x" * 80)

    with pytest.raises(StoreError, match=r"The disk with the database of the runs .* is full"):
        fill()
    assert {run.state for run in store.list(None)} == {"queued"}
    folders = {path.name for path in tmp_path.iterdir() if path.is_dir()}
    assert folders == {run.id for run in store.list(None)}


def test_store_that_comes_back_is_used_again(tmp_path: Path) -> None:
    folder = tmp_path / "runs"
    store = Store("", folder)
    folder.touch()
    with pytest.raises(StoreError):
        store.list(None)
    folder.unlink()
    assert store.list(None) == ()
    assert store.create(TINY, owner=None).position == 1


def test_settings_name_the_store(tmp_path: Path) -> None:
    store = open_store(Settings(runs_folder=str(tmp_path)))
    run = store.create(TINY, owner=None)
    assert (tmp_path / "runs.sqlite").is_file()
    assert store.weights_path(run.id).parent == store.folder_of(run.id) == tmp_path / run.id
    named = open_store(Settings(runs_folder=str(tmp_path / "b"), database=f"sqlite:///{tmp_path / 'runs.sqlite'}"))
    assert named.list(None) == (run,)
    assert shutil.disk_usage(tmp_path).used > store.used_bytes() > 0


@pytest.fixture
def in_folder(tmp_path: Path) -> Store:
    """A store whose files are looked at."""
    return Store("", tmp_path / "runs")


def test_a_long_log_is_shown_from_its_end_in_whole_lines(in_folder: Store) -> None:
    run = in_folder.create(TINY, owner=None).id
    path = in_folder.log_path(run)
    path.parent.mkdir(exist_ok=True)
    line = "x" * 63 + "\n"
    whole = "first" + line[5:] + line * (runs._LOG_BYTES // 64 - 2) + "last" + line[4:]

    path.write_text(whole, encoding="utf-8", newline="\n")
    assert in_folder.log(run) == whole
    path.write_text("-" + whole, encoding="utf-8", newline="\n")
    assert in_folder.log(run) == whole[64:]
    path.unlink()
    assert in_folder.log(run) == ""


def test_used_bytes_are_those_of_files_and_of_no_folder(in_folder: Store) -> None:
    in_folder.create(TINY, owner=None)
    before = in_folder.used_bytes()
    inner = in_folder.folder / "a" / "b"
    inner.mkdir(parents=True)
    assert in_folder.used_bytes() == before

    (inner / "file").write_bytes(bytes(1234))
    (inner / "other").write_bytes(bytes(66))
    assert in_folder.used_bytes() == before + 1300
