"""The configuration: sections as typed declarations, layers with origins, and errors that name their place.

`load_config` reads it, `get_config` gives it; `load`, `get`, `explain` and `validate` know everything about it.
"""

from dms.config.calendar_declaration import CalendarDeclaration
from dms.config.change import ConfigChange, KeyChange, diff
from dms.config.config import Config, plain
from dms.config.document import KeyPath
from dms.config.explain import Explanation, LayerValue, explain, get
from dms.config.file import find_config
from dms.config.finding import ConfigFinding
from dms.config.jsonc import remove_comments
from dms.config.layer import Layer, LayerName, Merged, Origin, merge
from dms.config.load import default_config, get_config, load, load_config, search_paths, set_config, validate
from dms.config.reading import Check, Loaded, refusal
from dms.config.setting import Applies, Machine, Section, Setting
from dms.config.task_declaration import (
    BreakerDeclaration,
    ConcurrencyDeclaration,
    LimitsDeclaration,
    RetryDeclaration,
    TaskDeclaration,
)

__all__ = [
    "Applies",
    "BreakerDeclaration",
    "CalendarDeclaration",
    "Check",
    "ConcurrencyDeclaration",
    "Config",
    "ConfigChange",
    "ConfigFinding",
    "Explanation",
    "KeyChange",
    "KeyPath",
    "Layer",
    "LayerName",
    "LayerValue",
    "LimitsDeclaration",
    "Loaded",
    "Machine",
    "Merged",
    "Origin",
    "RetryDeclaration",
    "Section",
    "Setting",
    "TaskDeclaration",
    "default_config",
    "diff",
    "explain",
    "find_config",
    "get",
    "get_config",
    "load",
    "load_config",
    "merge",
    "plain",
    "refusal",
    "remove_comments",
    "search_paths",
    "set_config",
    "validate",
]
