"""The answer to a change, and what the history keeps of it. Pure."""

from collections.abc import Mapping
from typing import Any

import msgspec

from dms.config.change import ConfigChange, KeyChange, differences, overlap_with
from dms.config.finding import key_text
from dms.config.layer import ABSENT, leaves, value_at
from dms.config.proposal import Proposal
from dms.config.setting import Applies
from dms.config.store import RecordedChange


class Changed(msgspec.Struct, frozen=True):
    """The answer to a change: the revision now, what changed, and by key what took effect at once, with a task's next
    run, or waits for a restart. `masked_by` tells by key which higher layer's value counts instead; `unseen`, which
    overrides came or went (`set`, `unset`) though the value in force stays."""

    revision: int
    changes: list[RecordedChange]
    applied: list[str]
    next_run: list[str]
    restart_needed: list[str]
    masked_by: dict[str, str]
    unseen: dict[str, str]
    dry_run: bool


def answer_to(change: ConfigChange, proposal: Proposal, revision: int, *, dry_run: bool) -> Changed:
    """What a change comes to, which makes that revision."""
    keys = {key.key: change.applies(key) for key in change.keys}
    touched = overlap_with(key.path for key in change.keys)
    unseen = {key_text(each.path): "unset" for each in proposal.went if not touched(each.path)}
    unseen |= {key_text(each.path): "set" for each in proposal.came if not touched(each.path)}
    return Changed(
        revision=revision,
        changes=[_recorded(key) for key in change.keys],
        applied=[key for key, applies in keys.items() if applies is Applies.LIVE],
        next_run=[key for key, applies in keys.items() if applies is Applies.NEXT_RUN],
        restart_needed=[key for key, applies in keys.items() if applies is Applies.RESTART],
        masked_by=_masks(proposal),
        unseen=unseen,
        dry_run=dry_run,
    )


def recorded_between(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[RecordedChange]:
    """What differs between two effective configurations; nothing is known to where there was none before."""
    return [_recorded(key) for key in differences(before, after)] if before else []


def _recorded(key: KeyChange) -> RecordedChange:
    return RecordedChange(key.key, _or_none(key.before), _or_none(key.after))


def _or_none(value: Any) -> Any:
    return None if value is ABSENT else value


def _masks(proposal: Proposal) -> dict[str, str]:
    """Which of the keys that were said are masked, and by what."""
    masked = {}
    for layer in [layer for layer in proposal.loaded.layers if layer.name is proposal.into]:
        for path in proposal.touched:
            for leaf in leaves(value_at(layer.values, path), path):
                above = proposal.loaded.merged.layer_of(leaf)
                if above is not None and above is not layer:
                    masked[key_text(leaf)] = str(above.origin(leaf))
    return masked
