"""What the quickstart's tasks do: plain functions, each usable by itself. A parameter called `run` receives the run."""

import shutil
import tarfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import dms

HERE = Path(__file__).resolve().parent
LEFT_OUT = {".git", ".venv", ".dms", "__pycache__"}


def disk_space(path: str, warn_at: int, run: dms.Run) -> str:
    """How full the disk of `path` is, as people without root may use it; a warning in the log from `warn_at` % on."""
    usage = shutil.disk_usage(path)
    full = round(100 * usage.used / (usage.used + usage.free))
    if full >= warn_at:
        run.log.warning("disk almost full", path=path, percent=full, free_gb=round(usage.free / 1e9, 1))
    return f"{path} is {full} % full"


class _Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"It works.\n")

    def log_message(self, *_: object) -> None:
        pass


_pages: dict[int, ThreadingHTTPServer] = {}


def page(port: int) -> str:
    """Keep a page up at this port of this machine until the node ends."""
    if port not in _pages:
        try:
            _pages[port] = ThreadingHTTPServer(("127.0.0.1", port), _Page)
        except OSError as error:
            raise OSError(f"port {port} can't be had ({error.strerror}); name another, in web-check too") from error
        threading.Thread(target=_pages[port].serve_forever, daemon=True).start()
    return f"up at http://127.0.0.1:{port}/"


def web_check(url: str) -> str:
    """Ask for a page; ConnectionError where no good answer comes, which the task's retry policy then tries again."""
    began = time.perf_counter()
    ask_itself = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with ask_itself.open(url, timeout=5) as answer:
            return f"{answer.status} after {1000 * (time.perf_counter() - began):.0f} ms"
    except urllib.error.URLError as error:
        reason = getattr(error.reason, "strerror", None) or error.reason
        raise ConnectionError(f"{url}: {reason}") from error


def backup(folder: str, into: str, keep: int, run: dms.Run) -> str:
    """Pack `folder` (relative to this file) into a dated archive in `into` and keep the newest `keep` of them."""
    source, target = (HERE / folder).resolve(), Path(into)
    target.mkdir(parents=True, exist_ok=True)
    archive = target / f"{source.name}-{time.strftime('%Y%m%d-%H%M%S')}.tar.gz"
    partial = archive.with_suffix(".partial")
    try:
        _pack(source, partial, run)
        partial.rename(archive)
    finally:
        partial.unlink(missing_ok=True)
    for old in sorted(target.glob(f"{source.name}-*.tar.gz"))[:-keep]:
        old.unlink()
    return f"{archive.name}, {archive.stat().st_size / 1e6:.1f} MB"


def _pack(source: Path, archive: Path, run: dms.Run) -> None:
    files = [(path, path.stat().st_size) for path in _files(source)]
    total, done = sum(size for _, size in files), 0
    with tarfile.open(archive, "w:gz") as packed:
        for path, size in files:
            if run.cancelled:
                raise InterruptedError(f"cancelled after {done / 1e6:.1f} of {total / 1e6:.1f} MB")
            packed.add(path, path.relative_to(source.parent))
            done += size
            run.progress(done, total, f"{done / 1e6:.1f} of {total / 1e6:.1f} MB")


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.is_symlink() or path.name in LEFT_OUT:
            continue
        if path.is_dir():
            yield from _files(path)
        elif path.is_file():
            yield path


def notify(into: str, run: dms.Run) -> str:
    """Add a line about the event that started this run to the file `into`."""
    topic = run.event.topic if run.event else "nothing"
    notices = Path(into)
    notices.parent.mkdir(parents=True, exist_ok=True)
    with notices.open("a") as file:
        file.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {topic}\n")
    return f"noted {topic} in {into}"


def welcome() -> str:
    """What to try next."""
    return "try in another terminal: scripts/dms task run backup --wait"
