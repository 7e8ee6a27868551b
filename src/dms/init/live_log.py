"""The log follows the configuration: its level, and its file."""

from dms.background_tasks.running.loop_thread import in_thread
from dms.config import Config, ConfigChange
from dms.errors import ConfigError
from dms.health import Finding, Health
from dms.init.log_file import LogFile, LogFileSettings
from dms.init.logger import NodeLog, get_logger
from dms.instant import Clock

TROUBLE = "log_file"
"""The code of the finding that lines are missing in the log's file."""

_KEYS = ("observability.log_file", "observability.max_size", "observability.max_backups", "observability.max_age")
_MEGABYTE = 1_000_000


class LiveLog:
    """Sets the log's level and file, and vetoes a change to a file that can't be written.

    At the start and later a file that can't be written is a finding: the node works without it, tries again every
    second, and then writes how many lines are missing.
    """

    name = "log"

    def __init__(self, log: NodeLog, health: Health, clock: Clock) -> None:
        self._log, self._health, self._clock = log, health, clock
        self._prepared: LogFile | None = None
        self._subject = ""

    def start(self, config: Config) -> None:
        """Log as the configuration says. A file is opened by its first line."""
        self._log.set_level(level_of(config))
        self._use(self._file_of(config))

    async def prepare(self, change: ConfigChange) -> None:
        """Open the new file. ConfigError where it can't be written."""
        if any(map(change.touches, _KEYS)):
            file = self._file_of(change.new.config)
            if file is not None:
                await in_thread(lambda: _open(file))
            self._prepared = file

    async def apply(self, change: ConfigChange) -> None:
        """Log as the new configuration says."""
        self._log.set_level(level_of(change.new.config))
        if any(map(change.touches, _KEYS)):
            self._use(self._prepared)
            self._prepared = None

    async def abandon(self, change: ConfigChange) -> None:
        """Let go of the file that was opened."""
        if self._prepared is not None:
            self._prepared.close()
            self._prepared = None

    def _file_of(self, config: Config) -> LogFile | None:
        it = config.observability
        if it.log_file is None:
            return None
        size = it.max_size * _MEGABYTE
        return LogFile(LogFileSettings(it.log_file, size, it.max_backups, it.max_age), self._clock)

    def _use(self, file: LogFile | None) -> None:
        self._health.clear(TROUBLE, self._subject)
        self._subject = subject = "" if file is None else str(file.settings.path)
        self._log.set_file(file, lambda error: self._troubled(subject, error))

    def _troubled(self, subject: str, error: OSError | None) -> None:
        if error is None:
            self._health.clear(TROUBLE, subject)
            get_logger("log").info(f"{subject} can be written again")
        else:
            message = _told(subject, error)
            self._health.report(Finding(TROUBLE, subject, message))
            get_logger("log").warning(message)


def level_of(config: Config) -> str:
    """The level that is in force."""
    return "debug" if config.general.debug else config.observability.log_level


def _open(file: LogFile) -> None:
    try:
        file.open()
    except OSError as error:
        raise ConfigError(_told(str(file.settings.path), error)) from None


def _told(path: str, error: OSError) -> str:
    why = error.strerror or error
    return f"observability.log_file: {path} can't be written: {why}; make room or name a file that this user may write"
