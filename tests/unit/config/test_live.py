import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import msgspec
import pytest

from dms.config import Loaded, explain
from dms.config.change import ConfigChange
from dms.config.live import LiveConfig
from dms.config.overrides import Override
from dms.config.store import Revision
from dms.errors import ConfigError, Conflict, InvalidParameters, NotFound, StoreError, VersionConflict
from dms.testing import FakeClock

Load = Callable[..., Loaded]

SLOTS = "scheduler.max_running_tasks"


class Kept:
    """A ConfigStore in a list; `refusing` is the error that the next save ends with."""

    def __init__(self) -> None:
        self.all: list[Revision] = []
        self.refusing: Exception | None = None

    def newest(self) -> Revision | None:
        return self.all[-1] if self.all else None

    def save(self, revision: Revision) -> Future[None]:
        future: Future[None] = Future()
        if self.refusing is None:
            self.all.append(revision)
            future.set_result(None)
        else:
            future.set_exception(self.refusing)
        return future

    def revisions(self, limit: int, before: int | None) -> Future[list[Revision]]:
        found = [each for each in reversed(self.all) if before is None or each.number < before]
        return self._done(found[:limit])

    def revision(self, number: int) -> Future[Revision]:
        found = [each for each in self.all if each.number == number]
        if not found:
            future: Future[Revision] = Future()
            future.set_exception(NotFound(f"revision {number} is not kept"))
            return future
        return self._done(found[0])

    def _done(self, value: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(value)
        return future


class Listening:
    """A subscriber that notes what it is told, and vetoes where it is to."""

    name = "listening"

    def __init__(self, veto: Exception | None = None) -> None:
        self.veto = veto
        self.told: list[str] = []

    async def prepare(self, change: ConfigChange) -> None:
        self.told.append("prepare")
        if self.veto is not None:
            raise self.veto

    async def apply(self, change: ConfigChange) -> None:
        self.told.append(f"apply {change.new.config.scheduler.max_running_tasks}")

    async def abandon(self, change: ConfigChange) -> None:
        self.told.append("abandon")


class Life:
    """A live configuration over a file that a test writes, and what came of it."""

    def __init__(self, loaded: Load, text: str = "", store: Kept | None = None, **options: Any) -> None:
        self.load, self.text, self.options = loaded, text, options
        self.store = store or Kept()
        self.told: list[Revision] = []
        self.gates: list[asyncio.Event] = []
        self.live = LiveConfig(self._read_now(), self.store, FakeClock(), self._read)
        self.live.listen(self.told.append)
        self.live.start()

    def _read_now(self) -> Loaded:
        return self.load(self.text, **self.options)

    async def _read(self) -> Loaded:
        read, gate = self._read_now(), self.gates.pop(0) if self.gates else None
        if gate is not None:
            await gate.wait()
        return read

    @property
    def slots(self) -> int:
        return self.live.config.scheduler.max_running_tasks

    async def set(self, changes: Mapping[str, Any], **options: Any) -> Any:
        return await self.live.set(changes, author="ana", **options)


async def begun(*args: Any, **options: Any) -> Life:
    """A life whose start is recorded."""
    life = Life(*args, **options)
    await life.live.record_start()
    return life


@pytest.fixture
async def life(loaded: Load) -> Life:
    return await begun(loaded, "scheduler: {max_running_tasks: 4}\n")


async def test_a_value_that_is_set_is_in_force_and_kept_with_its_author(life: Life) -> None:
    answer = await life.set({SLOTS: 2}, reason="quieter")
    kept = life.store.all[-1]
    assert (2, 2, [SLOTS], 4, 2) == (
        life.slots,
        answer.revision,
        [change.key for change in answer.changes],
        answer.changes[0].before,
        answer.changes[0].after,
    )
    assert ("ana", "quieter", 2) == (kept.author, kept.reason, kept.effective["scheduler"]["max_running_tasks"])
    assert [kept] == life.told


async def test_what_is_unset_gives_way_to_the_layer_below(life: Life) -> None:
    await life.set({SLOTS: 2})
    await life.live.unset([SLOTS], author="ana")
    assert 4 == life.slots


async def test_a_persistent_override_outlives_a_restart_and_a_volatile_one_does_not(loaded: Load, life: Life) -> None:
    await life.set({SLOTS: 2})
    await life.set({"general.debug": True}, volatile=True)
    again = await begun(loaded, life.text, life.store)
    assert (2, False) == (again.slots, again.live.config.general.debug)


async def test_a_volatile_override_counts_over_a_persistent_one(life: Life) -> None:
    await life.set({SLOTS: 2})
    await life.set({SLOTS: 3}, volatile=True)
    assert 3 == life.slots
    await life.live.unset([SLOTS], author="ana", volatile=True)
    assert 2 == life.slots


async def test_the_command_line_masks_a_persistent_override_which_the_answer_says(loaded: Load) -> None:
    life = await begun(loaded, arguments=[f"{SLOTS}=7"])
    answer = await life.set({SLOTS: 2})
    assert (7, {SLOTS: f"--set {SLOTS}"}, []) == (life.slots, answer.masked_by, answer.changes)


async def test_an_override_counts_over_the_environment(loaded: Load) -> None:
    life = await begun(loaded, environ={"DMS_SCHEDULER__MAX_RUNNING_TASKS": "7"})
    await life.set({SLOTS: 2})
    assert 2 == life.slots


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({SLOTS: "2"}, SLOTS),
        ({SLOTS: 0}, SLOTS),
        ({"scheduler.max_runing_tasks": 2}, "scheduler.max_runing_tasks"),
        ({"general.data_dir": "/elsewhere"}, "general.data_dir"),
        ({"general.work_dir": "here"}, "general.work_dir"),
        ({SLOTS: 2, "general.debug": "perhaps"}, "general.debug"),
        ({"tasks.backup": {"evry": "5m"}}, "tasks.backup.evry"),
        ({"scheduler": 3}, "scheduler"),
    ],
)
async def test_a_bad_value_is_named_and_nothing_of_its_batch_changes(
    life: Life, changes: dict[str, Any], named: str
) -> None:
    with pytest.raises(InvalidParameters) as caught:
        await life.set(changes)
    assert (named,) == caught.value.fields
    assert (4, 1, False) == (life.slots, life.live.revision, life.live.config.general.debug)


@pytest.mark.parametrize("key", ["", ".", "scheduler.", ".max_running_tasks"])
async def test_what_is_no_key_is_refused(life: Life, key: str) -> None:
    with pytest.raises(InvalidParameters):
        await life.set({key: 1})


async def test_a_revision_is_stale_only_for_keys_that_changed_since(life: Life) -> None:
    await life.set({SLOTS: 2})
    await life.set({"general.debug": True}, expected_revision=1)
    with pytest.raises(VersionConflict) as caught:
        await life.set({SLOTS: 3}, expected_revision=1)
    assert (3, 2) == (caught.value.revision, life.slots)
    told = f"changed since revision 1: {SLOTS} (revision 2); it is revision 3 now. Nothing was changed"
    assert told == str(caught.value).partition("; see")[0]


async def test_a_key_that_changed_often_is_named_once_with_its_last_revision(life: Life) -> None:
    for slots in (2, 3):
        await life.set({SLOTS: slots})
    with pytest.raises(VersionConflict, match=rf"^changed since revision 1: {SLOTS} \(revision 3\); it is"):
        await life.set({SLOTS: 4}, expected_revision=1)


async def test_a_part_of_what_changed_as_a_whole_is_stale_too(life: Life) -> None:
    await life.set({"tasks.backup": {"run": ["true"], "every": "5m"}})
    with pytest.raises(VersionConflict):
        await life.set({"tasks.backup.every": "6m"}, expected_revision=1)


async def test_a_revision_that_has_not_come_is_refused(life: Life) -> None:
    with pytest.raises(VersionConflict):
        await life.set({SLOTS: 2}, expected_revision=9)


async def test_a_revision_that_lies_too_far_back_is_stale(life: Life) -> None:
    for number in range(201):
        await life.set({SLOTS: number % 2 + 1})
    await life.set({"general.debug": True}, expected_revision=2)
    with pytest.raises(VersionConflict, match="changed since revision 2: more than is kept"):
        await life.set({"general.host_city": "Oulu"}, expected_revision=2)


async def test_a_dry_run_tells_what_would_change_and_changes_nothing(life: Life) -> None:
    listening = Listening()
    life.live.subscribe(listening)
    answer = await life.set({SLOTS: 2}, dry_run=True)
    assert (True, [SLOTS], ["prepare", "abandon"]) == (
        answer.dry_run,
        [change.key for change in answer.changes],
        listening.told,
    )
    assert (4, 1, 1) == (life.slots, life.live.revision, len(life.store.all))


async def test_subscribers_prepare_before_and_apply_after_it_is_in_force(life: Life) -> None:
    listening = Listening()
    life.live.subscribe(listening)
    await life.set({SLOTS: 2})
    assert ["prepare", "apply 2"] == listening.told


async def test_a_veto_undoes_what_others_prepared_and_changes_nothing(life: Life) -> None:
    first, second = Listening(), Listening(Conflict("the port is taken"))
    life.live.subscribe(first)
    life.live.subscribe(second)
    with pytest.raises(Conflict, match="the port is taken"):
        await life.set({SLOTS: 2})
    assert (["prepare", "abandon"], ["prepare", "abandon"], 4) == (first.told, second.told, life.slots)


async def test_one_that_can_not_carry_a_change_out_keeps_it_from_nobody(life: Life) -> None:
    class Mistaken(Listening):
        async def apply(self, change: ConfigChange) -> None:
            raise ZeroDivisionError("a mistake")

    listening = Listening()
    life.live.subscribe(Mistaken())
    life.live.subscribe(listening)
    with pytest.raises(ZeroDivisionError, match="a mistake"):
        await life.set({SLOTS: 2})
    assert (["prepare", "apply 2"], 2, 2, 2) == (listening.told, life.slots, life.live.revision, life.told[-1].number)


async def test_a_change_that_can_not_be_kept_does_not_come(life: Life) -> None:
    listening = Listening()
    life.live.subscribe(listening)
    life.store.refusing = StoreError("the disk is full")
    with pytest.raises(StoreError):
        await life.set({SLOTS: 2})
    assert (["prepare", "abandon"], 4, 1) == (listening.told, life.slots, life.live.revision)


async def test_a_start_that_can_not_be_kept_is_no_revision_and_the_next_change_is_one(loaded: Load) -> None:
    life = Life(loaded, "scheduler: {max_running_tasks: 4}\n")
    life.store.refusing = StoreError("the disk is full")
    with pytest.raises(StoreError):
        await life.live.record_start()
    assert (0, []) == (life.live.revision, life.store.all)
    life.store.refusing = None
    await life.set({"general.debug": True})
    kept = life.store.all[-1]
    assert (1, 1, 4) == (life.live.revision, kept.number, kept.effective["scheduler"]["max_running_tasks"])


async def test_a_folder_whose_name_is_no_text_is_kept_as_an_escape(loaded: Load) -> None:
    """trapexit/mergerfs-tools#43: a path with bytes that are no UTF-8 ended the program."""
    life = await begun(loaded, environ={"HOME": "/home/\udcff"})
    await life.set({SLOTS: 2})
    assert "/home/\\udcff/.dms" == life.store.all[-1].effective["general"]["user_dir"]
    assert msgspec.json.encode(life.store.all[-1].effective)


async def test_nothing_new_is_no_revision(life: Life) -> None:
    answer = await life.live.unset([SLOTS], author="ana")
    assert (1, [], 1) == (answer.revision, [], len(life.store.all))


async def test_what_is_set_so_already_stays_as_it_was(life: Life) -> None:
    await life.set({"tasks.backup": {"run": ["true"], "every": "5m"}})
    again: list[dict[str, Any]] = [
        {"tasks.backup": {"every": "5m", "run": ["true"]}},
        {"tasks.backup.every": "5m"},
        {"tasks": {"backup": {"run": ["true"], "every": "5m"}}},
    ]
    for changes in again:
        answer = await life.live.set(changes, author="bo")
        assert (2, [], {}, 2) == (answer.revision, answer.changes, answer.unseen, len(life.store.all))
    assert ["ana"] == [override.author for override in life.store.all[-1].overrides]


async def test_setting_what_a_lower_layer_says_too_is_a_revision_that_says_so(life: Life) -> None:
    answer = await life.set({SLOTS: 4})
    assert (2, [], {SLOTS: "set"}, 4) == (answer.revision, answer.changes, answer.unseen, life.slots)
    life.text = "scheduler: {max_running_tasks: 6}\n"
    await life.live.reload()
    assert 4 == life.slots
    answer = await life.live.unset([SLOTS], author="ana")
    assert (6, {}, [SLOTS]) == (life.slots, answer.unseen, answer.applied)


async def test_no_longer_setting_what_a_lower_layer_says_too_is_a_revision_that_says_so(life: Life) -> None:
    await life.set({SLOTS: 4})
    answer = await life.live.unset([SLOTS], author="ana")
    assert (3, [], {SLOTS: "unset"}) == (answer.revision, answer.changes, answer.unseen)


@pytest.mark.parametrize("inside", [lambda value: [value], lambda value: {"a": value}], ids=["lists", "maps"])
@pytest.mark.parametrize("levels", [65, 600, 5_000])
async def test_what_nests_too_deep_is_refused(life: Life, inside: Callable[[Any], Any], levels: int) -> None:
    value: Any = 1
    for _ in range(levels):
        value = inside(value)
    with pytest.raises(InvalidParameters, match=r"^tasks\.x: nested deeper than 64 levels\. Nothing was changed$"):
        await life.set({"tasks.x": {"call": "math:sqrt", "args": value}})
    for refused in (life.set({f"tasks{'.x' * levels}": 1}), life.live.unset([f"tasks{'.x' * levels}"], author="ana")):
        with pytest.raises(InvalidParameters, match="is not a key such as"):
            await refused


async def test_the_refusal_of_an_unknown_key_is_one_plain_sentence_after_the_other(life: Life) -> None:
    with pytest.raises(InvalidParameters) as caught:
        await life.set({"scheduler.max_runing_tasks": 2})
    assert "scheduler.max_runing_tasks: unknown key. Did you mean max_running_tasks? Nothing was changed" == str(
        caught.value
    )


async def test_of_what_is_set_at_once_a_part_stands_over_the_whole_whatever_comes_first(life: Life) -> None:
    for changes in ({"tasks.x": {"run": ["whole"]}, "tasks.x.run": ["part"]}, {"tasks.y.run": ["part"], "tasks.y": {}}):
        await life.set(changes)
    assert [["part"], ["part"]] == [task.run for task in life.live.config.tasks.values()]


async def test_a_volatile_override_masks_a_persistent_one_key_by_key_which_the_answer_says(life: Life) -> None:
    await life.set({"general.host_city": "Oulu"}, volatile=True)
    answer = await life.set({"general": {"host_city": "Vaasa", "host_country": "FI"}})
    assert {"general.host_city": "ana, revision 2"} == answer.masked_by


async def test_a_number_in_the_place_of_a_truth_value_is_a_change(life: Life) -> None:
    await life.set({"tasks.x": {"call": "math:sqrt", "args": [1, {"a": 1}]}})
    answer = await life.set({"tasks.x.args": [True, {"a": 1.0}]})
    assert ["tasks.x.args"] == [change.key for change in answer.changes]


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ("scheduler.max_runing_tasks", "scheduler.max_runing_tasks: unknown key. Did you mean max_running_tasks?"),
        ("schedular", "schedular: unknown key. Did you mean scheduler?"),
        ("tasks.bakcup", "tasks.bakcup: unknown key. Did you mean backup?"),
        ("tasks.backup.evry", "tasks.backup.evry: unknown key. Did you mean every?"),
    ],
)
async def test_what_is_unknown_is_not_silently_unset_or_restored(loaded: Load, key: str, told: str) -> None:
    life = await begun(loaded, 'tasks: {backup: {run: ["true"]}}\n')
    for refused in (life.live.unset([SLOTS, key], author="ana"), life.live.restore_defaults([key], author="ana")):
        with pytest.raises(InvalidParameters) as caught:
            await refused
        assert (f"{told} Nothing was changed", (key,)) == (str(caught.value), caught.value.fields)


@pytest.mark.parametrize("key", ["general.data_dir", "tasks", "tasks.backup", "tasks.backup.timeout", f"{SLOTS}.x"])
async def test_what_has_no_default_to_restore_is_said(loaded: Load, key: str) -> None:
    life = await begun(loaded, 'tasks: {backup: {run: ["true"]}}\n')
    with pytest.raises(InvalidParameters, match=f"^{key}: there is no default that could be restored"):
        await life.live.restore_defaults([key], author="ana")


@pytest.mark.parametrize("key", [SLOTS, "tasks.backup.timeout", "tasks.backup.retry.delay", "tasks.backup", "tasks"])
async def test_what_is_known_and_not_set_may_be_unset(loaded: Load, key: str) -> None:
    life = await begun(loaded, 'tasks: {backup: {run: ["true"]}}\n')
    assert 1 == (await life.live.unset([key], author="ana")).revision


async def test_a_stored_override_of_which_nobody_knows_any_more_can_be_unset(loaded: Load, life: Life) -> None:
    life.store.all.append(Revision(9, 0, "ana", "", [], [Override(("gone", "key"), 1, 9, "ana", 0)], {}, "x"))
    again = await begun(loaded, life.text, life.store)
    await again.live.unset(["gone.key"], author="ana")
    assert ([], []) == (again.store.all[-1].overrides, again.live.loaded.findings)


async def test_changes_come_one_after_the_other(life: Life) -> None:
    await asyncio.gather(*(life.set({SLOTS: number}) for number in range(5, 15)))
    assert list(range(1, 12)) == [revision.number for revision in life.store.all]


async def test_a_change_is_whole_though_its_caller_went_away(life: Life) -> None:
    change = asyncio.ensure_future(life.set({SLOTS: 2}))
    await asyncio.sleep(0)
    change.cancel()
    await life.set({"general.debug": True})
    assert 2 == life.slots


async def test_a_rollback_puts_back_the_overrides_of_then_volatile_ones_too(life: Life) -> None:
    await life.set({SLOTS: 2})
    await life.set({"general.debug": True}, volatile=True)
    await life.set({SLOTS: 3})
    await life.live.rollback(3, author="ana")
    assert (2, True) == (life.slots, life.live.config.general.debug)
    await life.live.rollback(1, author="ana")
    assert (4, False) == (life.slots, life.live.config.general.debug)


async def test_a_rollback_to_what_is_not_kept_is_not_found(life: Life) -> None:
    with pytest.raises(NotFound):
        await life.live.rollback(17, author="ana")


async def test_restored_defaults_count_over_the_file(life: Life) -> None:
    default = life.live.loaded.layers[0].values["scheduler"]["max_running_tasks"]
    await life.set({"general.debug": True})
    await life.live.restore_defaults([SLOTS], author="ana")
    assert (default, True) == (life.slots, life.live.config.general.debug)
    await life.live.restore_defaults(author="ana")
    assert (default, False) == (life.slots, life.live.config.general.debug)


async def test_a_file_that_has_changed_is_in_force_under_the_overrides(life: Life) -> None:
    await life.set({"general.debug": True})
    life.text = "scheduler: {max_running_tasks: 6}\n"
    answer = await life.live.reload()
    assert (6, True, [SLOTS]) == (
        life.slots,
        life.live.config.general.debug,
        [change.key for change in answer.changes],
    )


async def test_what_was_read_first_does_not_come_into_force_last(life: Life) -> None:
    """elastic/beats#25703: what a restart had read overwrote the newer one."""
    slow = asyncio.Event()
    life.gates = [slow]
    life.text = "scheduler: {max_running_tasks: 5}\n"
    first = asyncio.ensure_future(life.live.reload())
    await asyncio.sleep(0)
    life.text = "scheduler: {max_running_tasks: 6}\n"
    second = asyncio.ensure_future(life.live.reload())
    for _ in range(20):
        await asyncio.sleep(0)
    slow.set()
    await asyncio.gather(first, second)
    assert 6 == life.slots


@pytest.mark.parametrize(
    "text",
    [
        "scheduler: {max_running_tasks: none}\n",
        "scheduler: {max_running_tasks: 6, max_slots: 3}\n",
        "scheduler: {max_running_tasks: 6\n",
        "",
        "# nothing\n",
    ],
)
async def test_a_bad_or_emptied_file_is_refused_whole(life: Life, text: str) -> None:
    """microsoft/service-fabric-traefik#31: a file that was read while it was empty dropped all settings."""
    life.text = text
    with pytest.raises(ConfigError):
        await life.live.reload()
    assert (4, 1) == (life.slots, life.live.revision)


async def test_of_a_file_that_can_not_be_read_only_that_is_told(life: Life) -> None:
    life.text = "scheduler: {max_running_tasks: none}\n"
    with pytest.raises(ConfigError, match="none"):
        await life.live.reload()
    life.text = "scheduler: {max_running_tasks: 6\n"
    with pytest.raises(ConfigError) as caught:
        await life.live.reload()
    assert ["not YAML"] == [line.partition("  ")[2].partition(":")[0] for line in str(caught.value).splitlines()]


@pytest.mark.parametrize("text", ["", "# nothing\n", "{}\n"])
async def test_a_drop_in_that_is_emptied_is_refused_and_one_that_is_removed_is_taken_out(
    loaded: Load, folder: Path, text: str
) -> None:
    """microsoft/service-fabric-traefik#31: the same of a file beside the main one."""
    drop_in = folder / "conf.d" / "10-less.yaml"
    drop_in.parent.mkdir()
    drop_in.write_text("scheduler: {max_running_tasks: 3}\n")
    life = await begun(loaded, "general: {host_city: Oulu}\n")
    drop_in.write_text(text)
    with pytest.raises(ConfigError, match=r"10-less\.yaml is empty; the node goes on with what it said"):
        await life.live.reload()
    assert 3 == life.slots
    drop_in.unlink()
    await life.live.reload()
    assert 3 != life.slots


async def test_what_was_wrong_before_keeps_no_change_away(loaded: Load) -> None:
    life = await begun(loaded, "scheduler: {max_running_tasks: 4, max_slots: 3}\n")
    life.text = "scheduler: {max_running_tasks: 6, max_slots: 3}\n"
    await life.live.reload()
    await life.set({"general.debug": True})
    assert (6, True) == (life.slots, life.live.config.general.debug)


async def test_a_bad_stored_override_counts_for_nothing_and_is_reported(loaded: Load, life: Life) -> None:
    await life.set({SLOTS: 2})
    bad = [Revision(9, 0, "ana", "", [], [*_bad(life)], {}, "x")]
    life.store.all += bad
    again = await begun(loaded, life.text, life.store)
    assert (4, [f"ana, revision 9  {SLOTS}: 0 is not a whole number from 1 to 10000"]) == (
        again.slots,
        [str(finding) for finding in again.live.loaded.findings],
    )
    assert bad[0].overrides == again.store.all[-1].overrides


def _bad(life: Life) -> list[Any]:
    return [Override(("scheduler", "max_running_tasks"), 0, 9, "ana", 0)]


async def test_a_start_with_another_file_is_a_revision_and_one_with_the_same_is_none(loaded: Load, life: Life) -> None:
    same = await begun(loaded, life.text, life.store)
    assert 1 == same.live.revision
    other = await begun(loaded, "scheduler: {max_running_tasks: 5}\n", life.store)
    assert (2, [(SLOTS, 4, 5)]) == (
        other.live.revision,
        [(change.key, change.before, change.after) for change in other.store.all[-1].changes],
    )


async def test_a_part_of_a_section_is_seen_through_every_way_of_reading(loaded: Load) -> None:
    """spf13/viper#798: an override of one child was not seen when its parent was read."""
    life = await begun(loaded, "general: {host_city: Oulu, host_country: FI}\n")
    await life.set({"general.host_city": "Vaasa"})
    general = life.live.config.general
    assert ("Vaasa", "FI", "Vaasa") == (
        general.host_city,
        general.host_country,
        life.live.loaded.merged.values["general"]["host_city"],
    )


async def test_the_difference_between_revisions_is_told_key_by_key(life: Life) -> None:
    await life.set({SLOTS: 2})
    await life.set({"general.debug": True})
    found = await life.live.diff(1, 3)
    assert {(SLOTS, 4, 2), ("general.debug", False, True)} == {(each.key, each.before, each.after) for each in found}


def test_drop_ins_count_over_the_main_file_in_the_order_of_their_names(loaded: Load, folder: Path) -> None:
    (folder / "conf.d").mkdir()
    (folder / "conf.d" / "20-more.yaml").write_text("scheduler: {max_running_tasks: 9}\n")
    (folder / "conf.d" / "10-less.json").write_text(
        '{"scheduler": {"max_running_tasks": 8}, "general": {"debug": true}}'
    )
    (folder / "conf.d" / ".20-more.yaml.swp.yaml").write_text("scheduler: {max_running_tasks: 1}\n")
    found = loaded("scheduler: {max_running_tasks: 4}\n")
    assert (9, True, "drop-in") == (
        found.config.scheduler.max_running_tasks,
        found.config.general.debug,
        found.merged.origin(("scheduler", "max_running_tasks")).layer,
    )


async def test_each_layer_counts_over_those_below_it(loaded: Load, folder: Path) -> None:
    (folder / "conf.d").mkdir()
    (folder / "conf.d" / "drop-in.yaml").write_text("scheduler: {max_running_tasks: 12}\n")
    environ, arguments = {"DMS_SCHEDULER__MAX_RUNNING_TASKS": "13"}, [f"{SLOTS}=15"]
    life = await begun(loaded, "scheduler: {max_running_tasks: 11}\n", environ=environ, arguments=arguments)
    await life.set({SLOTS: 14})
    await life.set({SLOTS: 16}, volatile=True)
    layers = explain(life.live.loaded, SLOTS).layers
    assert [
        ("volatile override", 16),
        ("command line", 15),
        ("persistent override", 14),
        ("environment", 13),
        ("drop-in", 12),
        ("main file", 11),
    ] == [(said.layer, said.value) for said in layers[:-1]]
    assert ("default", [True, False]) == (layers[-1].layer, [layers[0].in_force, any(x.in_force for x in layers[1:])])


async def test_whoever_looks_at_what_is_in_force_comes_between_two_changes(life: Life) -> None:
    class Slow(Listening):
        prepared = asyncio.Event()

        async def prepare(self, change: ConfigChange) -> None:
            await self.prepared.wait()

    life.live.subscribe(Slow())
    under_way = asyncio.create_task(life.set({"scheduler.max_running_tasks": 5}))
    await asyncio.sleep(0)
    seen: list[int] = []

    async def look() -> None:
        async with life.live.unchanging() as loaded:
            later = asyncio.create_task(life.set({"scheduler.max_running_tasks": 6}))
            for _ in range(20):
                await asyncio.sleep(0)
            seen.extend((loaded.config.scheduler.max_running_tasks, life.slots))
        await later

    looking = asyncio.create_task(look())
    await asyncio.sleep(0)
    Slow.prepared.set()
    await asyncio.gather(under_way, looking)
    assert ([5, 5], 6) == (seen, life.slots)
