#!/usr/bin/env python3
"""Run the contestants of an arena in turn, A B C A B C, and compare them."""

import argparse
import fnmatch
import hashlib
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

HERE = Path(__file__).resolve().parent
HOME = Path(os.environ.get("BENCH_HOME") or Path.home() / ".cache" / "bench")
PROJECT = Path(os.environ.get("BENCH_PROJECT") or HERE.parent).resolve()
HEADER = re.compile(r"(?m)^# /// script\n((?:^#(?:| .*)\n)*)^# ///$")


@dataclass
class Contestant:
    """One script and the environment that its PEP 723 header asks for."""

    path: Path
    header: dict = field(init=False)

    def __post_init__(self) -> None:
        found = HEADER.search(self.path.read_text())
        lines = found[1].splitlines() if found else []
        self.header = tomllib.loads("\n".join(line[2:] for line in lines))

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def settings(self) -> dict:
        return self.header.get("tool", {}).get("bench", {})

    @property
    def project(self) -> Path | None:
        """The checkout that this contestant measures, where it measures one."""
        return PROJECT if self.settings.get("project") else None

    def python(self) -> Path:
        """The interpreter of this contestant's venv, made on first use."""
        needs = sorted(self.header.get("dependencies", []))
        key = "\n".join(needs)
        if self.project:
            needs += ["-e", self.project]
            key += f"\n{self.project}\n{(self.project / 'pyproject.toml').read_text()}"
        key = hashlib.sha256(key.encode()).hexdigest()[:12]
        venv = HOME / "venvs" / key
        python = venv / "bin" / "python"
        if (venv / "complete").exists():
            return python
        print(f"  making an environment for {self.name}", file=sys.stderr)
        if shutil.which("uv"):
            make = ["uv", "venv", "-q", "--clear", "-p", sys.executable, venv]
            install = ["uv", "pip", "install", "-q", "--compile-bytecode", "-p", python, *needs]
        else:
            make = [sys.executable, "-m", "venv", "--clear", venv]
            install = [python, "-m", "pip", "install", "-q", *needs]
        base = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
        subprocess.run(make, check=True, env=base)
        if needs:
            subprocess.run(install, check=True, env=base, cwd=self.path.parent)
        (venv / "complete").touch()
        return python

    def versions(self) -> dict:
        """Which release of each direct dependency was measured."""
        names = [re.match(r"[\w.-]+", need)[0] for need in self.header.get("dependencies", [])]
        code = "import sys; from importlib.metadata import version as v; print(*map(v, sys.argv[1:]))"
        found = subprocess.run([self.python(), "-c", code, *names], capture_output=True, text=True)
        versions = dict(zip(names, found.stdout.split()))
        if self.project:
            versions["project"] = revision(self.project)
        return versions


def revision(checkout: Path) -> str:
    """The commit, marked as dirty where anything but the figures themselves differs from it."""
    git = ["git", "-C", checkout]
    commit = subprocess.run([*git, "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()
    changed = subprocess.run([*git, "status", "--porcelain", "--", ".", ":!bench/results"], capture_output=True).stdout
    return f"{commit}-dirty" if changed else commit


@dataclass
class Arena:
    name: str

    def __post_init__(self) -> None:
        self.folder = HERE / self.name
        self.config = tomllib.loads((self.folder / "arena.toml").read_text())
        self.sweep = self.config.get("sweep", [{}])
        scripts = sorted(self.folder.glob("[!_]*.py"))
        self.contestants = [Contestant(path) for path in scripts]
        driver = self.folder / "_driver.py"
        self.driver = Contestant(driver) if driver.exists() else None

    def case(self, name: str) -> dict:
        """Unit and direction of a case, by the longest pattern that fits it."""
        fits = [p for p in self.config["cases"] if fnmatch.fnmatch(name, p)]
        return self.config["cases"][max(fits, key=len)] if fits else {}

    def run(self, contestant: Contestant, point: dict, given: dict) -> tuple[dict, str]:
        """One process of one contestant at one point of the sweep."""
        params = self.config.get("params", {}) | contestant.settings.get("params", {}) | point | given
        entry = self.driver or contestant
        command = [entry.python(), entry.path]
        scratch = HOME / "scratch" / str(os.getpid())
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True)
        # Without compiled files a checkout's own modules would be compiled at each start, a package's not.
        env = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"} | {
            "PYTHONPATH": str(HERE),
            "BENCH_PARAMS": json.dumps(params),
            "BENCH_SCRATCH": str(scratch),
        }
        if self.driver:
            env |= {"BENCH_PYTHON": str(contestant.python()), "BENCH_SCRIPT": str(contestant.path)}
        limit = self.config.get("timeout", 60)
        child = subprocess.Popen(
            command, env=env, cwd=scratch, text=True, start_new_session=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        try:
            out, err = child.communicate(timeout=limit)
            note = "" if child.returncode == 0 else (err.strip().splitlines() or ["no message"])[-1][:160]
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            out, err = child.communicate()
            note = f"stopped after {limit} s"
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        tag = " ".join(f"{k}={v}" for k, v in point.items())
        lines = (line.split("\t") for line in out.splitlines() if line.startswith("bench\t"))
        return {f"{tag} {case}".strip(): float(value) for _, case, value in lines}, note


def number(value: float) -> str:
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def compare(mine: list, reference: list) -> str:
    """The median of the ratios taken round by round."""
    pairs = [a / b for a, b in zip(mine, reference) if a is not None and b]
    return f"{median(pairs):.3g}x" if pairs else "-"


def table(arena: Arena, values: dict, notes: dict) -> str:
    """Markdown: a section a case, a row a contestant, best first."""
    reference = arena.config["reference"]
    text = [f"# {arena.config['title']}", "", arena.config.get("about", "").strip(), ""]
    for case in dict.fromkeys(case for rows in values.values() for case in rows):
        rows = {name: rows[case] for name, rows in values.items() if any(v is not None for v in rows.get(case, []))}
        meta = arena.case(case)
        medians = {name: median(v for v in row if v is not None) for name, row in rows.items()}
        base = rows.get(reference, [])
        text += [
            f"## {case} ({meta.get('unit', '')}, {meta.get('better', 'higher')} is better)", "",
            f"| contestant | median | min | max | x {reference} |", "|---|--:|--:|--:|--:|",
        ]
        for name in sorted(rows, key=medians.get, reverse=meta.get("better", "higher") == "higher"):
            row = [v for v in rows[name] if v is not None]
            cells = [name, number(medians[name]), number(min(row)), number(max(row)), compare(rows[name], base)]
            text.append(f"| {' | '.join(cells)} |")
        text.append("")
    if notes:
        text += ["## Did not finish", ""] + [f"- {who}: {why}" for who, why in sorted(notes.items())] + [""]
    return "\n".join(text)


def machine() -> dict:
    return {
        "python": platform.python_version(),
        "cpus": os.cpu_count(),
        "kernel": platform.release(),
        "date": time.strftime("%Y-%m-%d"),
    }


def contest(arena: Arena, rounds: int, only: list[str], given: dict) -> None:
    chosen = [c for c in arena.contestants if any(fnmatch.fnmatch(c.name, p) for p in only)]
    points = [p for p in arena.sweep if all(given.get(k, v) == v for k, v in p.items())]
    values: dict[str, dict[str, list]] = {c.name: {} for c in chosen}
    notes: dict[str, str] = {}
    for contestant in [*chosen, *([arena.driver] if arena.driver else [])]:
        contestant.python()
    for turn in range(rounds):
        for point in points:
            for contestant in chosen:
                began = time.monotonic()
                found, note = arena.run(contestant, point, given)
                where = " ".join([contestant.name, *(f"{k}={v}" for k, v in point.items())])
                if note:
                    notes[where] = note
                for case, value in found.items():
                    row = values[contestant.name].setdefault(case, [None] * rounds)
                    row[turn] = value
                brief = "  ".join(f"{case} {number(v)}" for case, v in found.items())
                took = time.monotonic() - began
                print(f"  {turn + 1}/{rounds} {where} ({took:.1f} s): {brief} {note}", file=sys.stderr, flush=True)
    save(arena, chosen, values, notes)


def save(arena: Arena, chosen: list[Contestant], values: dict, notes: dict) -> None:
    """Keep this run; contestants and cases not run this time stay as they were."""
    path = HERE / "results" / f"{arena.name}.json"
    kept = json.loads(path.read_text()) if path.exists() else {}
    ran = {c.name for c in chosen}
    all_values = {name: rows for name, rows in kept.get("values", {}).items()}
    for name, rows in values.items():
        all_values[name] = all_values.get(name, {}) | rows
    all_notes = {w: n for w, n in kept.get("notes", {}).items() if w.split()[0] not in ran} | notes
    versions = kept.get("versions", {}) | {c.name: c.versions() for c in chosen}
    record = {"machine": machine(), "versions": versions, "notes": all_notes, "values": all_values}
    path.write_text(json.dumps(record, indent=1, sort_keys=True) + "\n")
    text = table(arena, all_values, all_notes)
    path.with_suffix(".md").write_text(text)
    print(table(arena, values, notes))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("arenas", nargs="*", help="folders that hold an arena.toml; none lists them")
    parser.add_argument("-n", "--rounds", type=int, default=3)
    parser.add_argument("-o", "--only", action="append", metavar="GLOB", help="contestants to run")
    parser.add_argument("-s", "--set", action="append", default=[], metavar="KEY=VALUE", help="override a parameter")
    args = parser.parse_args()
    given = {}
    for pair in args.set:
        key, _, value = pair.partition("=")
        try:
            given[key] = json.loads(value)
        except ValueError:
            given[key] = value
    if not args.arenas:
        for config in sorted(HERE.glob("*/arena.toml")):
            arena = Arena(config.parent.name)
            print(f"{arena.name}: {' '.join(c.name for c in arena.contestants)}")
    for name in args.arenas:
        contest(Arena(name.strip("/")), args.rounds, args.only or ["*"], given)


if __name__ == "__main__":
    main()
