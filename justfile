# Short names for what is done often; `just` lists them. Needs only `just`; each line works without it too.

[private]
default:
    @just --list

# everything that CI runs
check:
    scripts/test

# mend what can be mended by itself
fix:
    .venv/bin/ruff check --fix .
    .venv/bin/ruff format .

# the tests whose name holds NAME
test NAME:
    scripts/test -k {{ NAME }}

# the long forms
nightly:
    scripts/test --nightly

# mutants of the pure scheduling modules (none named: all of them, for hours)
mutants *MODULES:
    scripts/mutants {{ MODULES }}

# one arena of bench/ (none: lists them)
bench *ARGUMENTS:
    bench/bench.py {{ ARGUMENTS }}
