"""Which scope a change of a key needs: each key names its own. Pure."""

from dms.config.config import Sections
from dms.config.document import KeyPath
from dms.config.setting import is_section, key_at

_USUAL = "config:write"


def scope_of(sections: Sections, path: KeyPath) -> str:
    """The scope that a change of what stands at a path needs; a part of a free map needs that of the map.

    >>> from dms.config.config import BUILT_IN
    >>> [scope_of(BUILT_IN, ("tasks", "backup", *key)) for key in [("env", "PATH"), ("every",), ()]]
    ['exec:run', 'config:write', 'config:write']
    """
    known = key_at(sections, path)
    return _USUAL if known is None or is_section(known.type) else known.setting.scope
