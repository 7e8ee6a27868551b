"""A greenhouse that looks after itself: a program of its own that takes its scheduling from DMS, without a node.

    python examples/library/greenhouse.py --seconds 5 --folder greenhouse

Stop it, or kill it, and start it again: the times go on where they were, an upload that waits for its next try still
does, and what was missed meanwhile comes once.
"""

import argparse
import json
import random
import time
from collections import deque
from pathlib import Path

import dms

DRY = 0.3
"""Share of water in the soil below which it is watered."""


class Greenhouse:
    """One bed, its sensor and its valve. The sensor is played by chance; put a real one in its place."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.soil = folder, 0.35
        self.readings: deque[float] = deque(maxlen=3600)

    def measure(self, scheduler: dms.Scheduler) -> float:
        """Reads the sensor. Soil that has gone dry is an event; who waters it is none of its business."""
        self.soil = max(0.0, self.soil - random.uniform(0, 0.04))
        self.readings.append(self.soil)
        if self.soil < DRY:
            scheduler.emit("soil.dry", {"soil": round(self.soil, 2)})
        return round(self.soil, 3)

    def water(self, run: dms.Run) -> str:
        """Opens the valve for a while, and looks whether it was told to stop."""
        assert run.event is not None
        for second in range(3):
            run.progress(second, 3, "the valve is open")
            if run.cancelled:
                return f"closed early, at {second} of 3"
            time.sleep(0.1)
        self.soil = 0.6
        return f"from {run.event.payload['soil']} to {self.soil}"

    def report(self, run: dms.Run) -> str:
        """Sums up what was measured, for the moment that the run is for, also where it comes late."""
        mean = sum(self.readings) / len(self.readings) if self.readings else None
        line = json.dumps({"until": f"{run.due:%Y-%m-%d %H:%M:%S}", "mean": mean, "readings": len(self.readings)})
        with (self.folder / "reports.jsonl").open("a") as file:
            file.write(f"{line}\n")
        return line

    def upload(self, run: dms.Run) -> str:
        """Hands the reports over. The line is bad: the first try of each run fails, and is made again."""
        if run.attempt == 1:
            raise ConnectionError("no line")
        return f"{len((self.folder / 'reports.jsonl').read_text().splitlines())} reports are there"


def tasks(house: Greenhouse, scheduler: dms.Scheduler) -> list[dms.Task]:
    """What is to be done, and when."""
    return [
        dms.Task("measure", house.measure, [scheduler], durability="none", triggers=[dms.PeriodicTrigger("200ms")]),
        dms.Task("water", house.water, timeout="10s", triggers=[dms.EventTrigger("soil.dry")]),
        dms.Task("report", house.report, triggers=[dms.PeriodicTrigger(cron="*/2 * * * * *")]),
        dms.Task(
            "upload",
            house.upload,
            triggers=[dms.EventTrigger("task.report.success")],
            retry_policy=dms.RetryPolicy(max_retries=5, delay="300ms", backoff="exponential", max_delay="10m"),
        ),
    ]


def tell(event: dms.RunEvent) -> None:
    """Prints how each run of the slower tasks ended, and what was left out."""
    if event.kind == "ended" and event.task != "measure":
        print(f"{event.task:8} {event.text}", flush=True)


def main() -> None:
    """Look after the greenhouse for the time that was asked for, or until Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=86_400, help="how long it runs")
    parser.add_argument("--folder", type=Path, default=Path("greenhouse"), help="where its files are kept")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    with dms.Scheduler(max_running_tasks=4, store=dms.SqliteStore(given.folder / "tasks.db")) as scheduler:
        scheduler.subscribe(tell)
        scheduler.add_tasks(tasks(Greenhouse(given.folder), scheduler))
        time.sleep(given.seconds)
        for view in scheduler.tasks():
            last = view.last.status if view.last else "never ran"
            print(f"{view.name:8} {last:12} skipped: {dict(view.skipped) or 'nothing'}")


if __name__ == "__main__":
    main()
