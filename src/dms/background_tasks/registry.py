"""Which tasks there are, by name and by ID. Any thread may ask and change it."""

from collections.abc import Iterable, Iterator, Sequence
from threading import Lock

from dms.background_tasks.tasks.chain import circle_of, told, waited_for
from dms.background_tasks.tasks.task import Task
from dms.errors import Conflict, InvalidTask, NotFound, did_you_mean


class Registry:
    """Names are unique; IDs are given once and never again. Where `numbered` is false, IDs come with `number`."""

    def __init__(self, numbered: bool) -> None:
        self._numbered = numbered
        self._by_name: dict[str, Task] = {}
        self._by_id: dict[int, Task] = {}
        self._by_key: dict[str, dict[str, Task]] = {}
        self._known: dict[str, int] = {}
        self._highest = 0
        self._lock = Lock()

    def add(self, *tasks: Task) -> None:
        """Take tasks in, all or none; each takes the place of one of its name that only the store brought back.
        Conflict where a name is taken, or one is registered already; InvalidTask where one contradicts another of its
        key, or would run in a circle with others."""
        with self._lock:
            sharing: list[Task] = []
            chained: list[Task] = []
            for task in tasks:
                self._check_free(task)
                if task.concurrency is not None:
                    sharing.append(task)
                if task.event_triggers:
                    chained.append(task)
            if len(tasks) > 1:
                _check_apart(tasks)
            if sharing:
                self._check_keys(sharing)
            if chained:
                self._check_circles(chained)
            for task in tasks:
                self._take_in(task)

    def _check_free(self, task: Task) -> None:
        """Conflict unless it is new, and its name free."""
        if task.id is not None or task.registered:
            raise Conflict(f"{task.name} is registered already; make another Task")
        there = self._by_name.get(task.name)
        if there is not None and not there.restored:
            raise Conflict(f"a task called {task.name} is there already; remove it first, or take another name")

    def _take_in(self, task: Task) -> None:
        there = self._by_name.get(task.name)
        if there is not None:
            task.id = there.id
            self._put(task)
            return
        if self._numbered:
            self._number(task)
        self._by_name[task.name] = task
        if task.concurrency is not None:
            self._share_key(task)

    def _check_circles(self, tasks: Sequence[Task]) -> None:
        coming = {task.name: task for task in tasks}

        def before(name: str) -> Iterable[str]:
            found = coming.get(name) or self._by_name.get(name)
            return () if found is None or found.parked else waited_for(found)

        for task in tasks:
            circle = circle_of(task.name, before) if task.triggers else ()
            if circle:
                raise InvalidTask(f"triggers: {told(circle)}")

    def replace(self, tasks: Sequence[Task]) -> None:
        """Take tasks in, each in the place of the one of its name; all, or none where one can't be. NotFound where
        there is none of its name, Conflict where it is registered already, InvalidTask where it contradicts another
        one of its key, or they would run in a circle."""
        with self._lock:
            for task in tasks:
                if task.id is not None or task.registered:
                    raise Conflict(f"{task.name} is registered already; make another Task")
                self.find(task.name)
            self._check_keys(tasks)
            self._check_circles(tasks)
            for task in tasks:
                task.id = self.find(task.name).id
                self._put(task)

    def _put(self, task: Task) -> None:
        """It has its name and its key, and what had the name before has them no more."""
        self._leave_key(self._by_name.get(task.name))
        self._by_name[task.name] = task
        if task.id is not None:
            self._by_id[task.id] = task
        if task.concurrency is not None:
            self._share_key(task)

    def number(self, known: dict[str, int], highest: int) -> None:
        """Give IDs from now on, and one to each task that has none: the one `known` by its name, or the next."""
        with self._lock:
            self._numbered, self._known, self._highest = True, known, highest
            for task in self._by_name.values():
                if task.id is None:
                    self._number(task)

    def _number(self, task: Task) -> None:
        task.id = self._known.pop(task.name, None) if self._known else None
        if task.id is None:
            self._highest += 1
            task.id = self._highest
        self._by_id[task.id] = task

    def restore(self, task: Task, task_id: int) -> bool:
        """Take a task in from the store; the program's own of that name may take its place. False where it has
        already."""
        with self._lock:
            if task.name in self._by_name:
                return False
            self._known.pop(task.name, None)
            task.id = task_id
            self._put(task)
            return True

    def remove(self, task: Task) -> None:
        """Let a task go."""
        with self._lock:
            self._remove(task)

    def remove_id(self, task_id: int) -> None:
        """Let the task of that ID go, where it is still there."""
        with self._lock:
            task = self._by_id.get(task_id)
            if task is not None:
                self._remove(task)

    def _remove(self, task: Task) -> None:
        if task.id is not None:
            self._by_id.pop(task.id, None)
        if self._by_name.get(task.name) is task:
            self._leave_key(task)
            del self._by_name[task.name]

    def find(self, which: int | str) -> Task:
        """The task of that ID (an int) or name. NotFound, with the nearest name, where there is none."""
        found = self._by_id.get(which) if isinstance(which, int) else self._by_name.get(which)
        if found is not None:
            return found
        if isinstance(which, int):
            raise NotFound(f"there is no task with ID {which}")
        raise NotFound(f"there is no task called {which}.{did_you_mean(which, list(self._by_name))}")

    def has(self, name: str) -> bool:
        """Whether there is a task of that name."""
        return name in self._by_name

    def all(self) -> list[Task]:
        """Every task, in the order in which they were added."""
        with self._lock:
            return list(self._by_name.values())

    # ── keys ──

    def _check_keys(self, tasks: Sequence[Task]) -> None:
        names, first = {task.name for task in tasks}, dict[str, Task]()
        for task in tasks:
            if task.concurrency is not None:
                check_key(task, [first.setdefault(task.concurrency.key, task)])
                check_key(task, (other for other in self._of_its_key(task) if other.name not in names))

    def check_key(self, task: Task, beside: str) -> None:
        """InvalidTask where a task contradicts another one of its key, but those of that origin."""
        with self._lock:
            check_key(task, [other for other in self._of_its_key(task) if other.origin != beside])

    def _of_its_key(self, task: Task) -> Iterator[Task]:
        """Who counts for the key of a task: not what only the store brought back."""
        there = {} if task.concurrency is None else self._by_key.get(task.concurrency.key, {})
        return (other for other in there.values() if not other.restored)

    def _share_key(self, task: Task) -> None:
        assert task.concurrency is not None
        self._by_key.setdefault(task.concurrency.key, {})[task.name] = task

    def _leave_key(self, task: Task | None) -> None:
        if task is not None and task.concurrency is not None:
            of_key = self._by_key[task.concurrency.key]
            del of_key[task.name]
            if not of_key:
                del self._by_key[task.concurrency.key]


def check_key(task: Task, others: Iterable[Task]) -> None:
    """InvalidTask where a task says something else of its key than the first of the others that has it."""
    concurrency = task.concurrency
    if concurrency is None:
        return
    for other in others:
        if other.concurrency is not None and other.concurrency.key == concurrency.key:
            difference = concurrency.contradiction(other.concurrency)
            if difference:
                what = f"which {other.name} says of the same key, {concurrency.key}; change both together"
                raise InvalidTask(f"concurrency.{difference}, {what}")
            return


def _check_apart(tasks: Sequence[Task]) -> None:
    """Conflict where two of them share a name."""
    names = set[str]()
    for task in tasks:
        if task.name in names:
            raise Conflict(f"two of the tasks are called {task.name}; give each a name of its own")
        names.add(task.name)
