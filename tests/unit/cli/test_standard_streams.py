"""The command line with its standard streams closed, full, or left by their reader."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

FULL = Path("/dev/full")


def dms(words: str, streams: str, data_dir: Path) -> "subprocess.CompletedProcess[str]":
    """Run `dms WORDS` with the streams as the shell understands them."""
    return subprocess.run(
        ["sh", "-c", f'"$1" -m dms {words} {streams}', "sh", sys.executable],
        env={**os.environ, "DMS_GENERAL__DATA_DIR": str(data_dir)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("streams", [">&-", "<&-", ">&- 2>&- <&-"])
@pytest.mark.parametrize(("words", "status"), [("--help", 0), ("--version", 0), ("status", 69), ("status --json", 69)])
def test_a_closed_stream_changes_nothing_of_how_a_command_ends(
    words: str, status: int, streams: str, tmp_path: Path
) -> None:
    told = dms(words, streams, tmp_path)
    assert (status, False) == (told.returncode, "mistake in dms" in told.stderr)


@pytest.mark.skipif(not FULL.exists(), reason="this machine has no /dev/full")
@pytest.mark.parametrize("words", ["--help", "--version", "status --json"])
def test_an_output_that_takes_no_more_is_told_in_a_line(words: str, tmp_path: Path) -> None:
    told = dms(words, f">{FULL}", tmp_path)
    assert ["dms: the output can't be written: No space left on device"] == told.stderr.splitlines()[-1:]
    assert 1 == told.returncode


def test_a_reader_that_has_seen_enough_is_no_failure() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    told = subprocess.run(
        [sys.executable, "-m", "dms", "--help"], stdout=writing, stderr=subprocess.PIPE, timeout=60, check=False
    )
    os.close(writing)
    assert (0, b"") == (told.returncode, told.stderr)
