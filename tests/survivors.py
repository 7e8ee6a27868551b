"""What `mutmut run` left: of each module how many mutants no test noticed, and each of those that survivors.md does not
explain. Ends with 1 where more than so many percent of all are left. For `scripts/mutants`."""

import re
import sys
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

LEFT = ("survived", "no tests", "suspicious")
EXPLAINED = Path(__file__).with_name("survivors.md")


def statuses() -> dict[str, dict[str, str]]:
    """By module, what became of each of its mutants."""
    from mutmut.mutation.data import SourceFileMutationData
    from mutmut.stats import status_by_exit_code

    found: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for meta in sorted(Path("mutants/src").rglob("*.meta")):
        data: Any = SourceFileMutationData(path=meta.relative_to("mutants").with_suffix(""))
        data.load()
        for mutant, code in data.exit_code_by_key.items():
            if status_by_exit_code[code] != "not checked":
                found[meta.name.removesuffix(".py.meta")][mutant] = status_by_exit_code[code]
    return found


def told(mutant: str) -> str:
    """A mutant as survivors.md tells it: its function, and the line that it became."""
    from mutmut.mutation.diff_apply import get_diff_for_mutant

    lines = get_diff_for_mutant(mutant).splitlines()
    became = " ".join(line[1:].strip() for line in lines if line.startswith("+") and not line.startswith("+++"))
    function = re.sub(r"__mutmut_\d+$", "", mutant.rpartition(".")[2]).removeprefix("x").strip("_ǁ").replace("ǁ", ".")
    return f"{function}: {became}"


def main(most: float) -> int:
    """Tell it; the exit status."""
    explained = set(re.findall(r"^- `(.+?)`: ", EXPLAINED.read_text(), re.MULTILINE)) if EXPLAINED.exists() else set()
    found = statuses()
    for module, mutants in found.items():
        left = [mutant for mutant, status in mutants.items() if status in LEFT]
        print(f"{module}: {_share(len(left), len(mutants))} {dict(Counter(mutants.values()))}")
        for each in sorted(told(mutant) for mutant in left):
            if each not in explained:
                print(f"    {each}")
    made = sum(len(mutants) for mutants in found.values())
    all_left = sum(status in LEFT for mutants in found.values() for status in mutants.values())
    print(f"All: {_share(all_left, made)}")
    return int(not made or 100 * all_left > most * made)


def _share(left: int, made: int) -> str:
    return f"{left} of {made} are left ({100 * left / max(made, 1):.1f} %)"


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1])))
