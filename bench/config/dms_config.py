# /// script
# dependencies = []
#
# [tool.bench]
# project = true
# ///
"""`dms.set_config` checks a value, lays it over the layers below and makes a new snapshot. A load checks the 60 values
and the overriding ones of six layers above, beside them all that a node has by default, and knows where each is from."""

from itertools import cycle
from typing import Annotated

import dms
from dms.config.check import check_layer
from dms.config.config import BUILT_IN
from dms.config.layer import Layer, LayerName
from dms.config.machine import this_machine
from dms.config.reading import compose
from dms.config.setting import Section, Setting
from msgspec import Meta

from _arena import SECTIONS, main, nested


class Group(Section, frozen=True):
    max_running: Annotated[int, Meta(ge=1), Setting("", 10)]
    name: Annotated[str, Setting("", "x")]
    ratio: Annotated[float, Setting("", 0.5)]


class Part(Section, frozen=True):
    limits: Annotated[Group, Setting("", {})]
    alpha: Annotated[Group, Setting("", {})]
    beta: Annotated[Group, Setting("", {})]
    gamma: Annotated[Group, Setting("", {})]
    delta: Annotated[Group, Setting("", {})]


EXTRA = dict.fromkeys(SECTIONS, Part)
KNOWN = {**BUILT_IN, **EXTRA}
MACHINE = this_machine({"HOME": "/nowhere"})
ABOVE = {
    LayerName.DROP_IN: 11,
    LayerName.ENVIRONMENT: "12",
    LayerName.OVERRIDE: 13,
    LayerName.ARGUMENTS: "14",
    LayerName.VOLATILE: 15,
}
TREE = nested()
LAYERS = [Layer(LayerName.FILE, TREE, "file")]
LAYERS += [Layer(name, {"server": {"limits": {"max_running": value}}}, name) for name, value in ABOVE.items()]


def make():
    checked = [check_layer(layer, KNOWN, MACHINE) for layer in LAYERS]
    return compose([each.layer for each in checked], [], None, KNOWN, MACHINE)


assert make().config.server.limits.max_running == 15

config = dms.load_config(sections=EXTRA, environ={"HOME": "/nowhere"})
values = cycle([20, 30])

if __name__ == "__main__":
    main(
        globals(),
        read="config.scheduler.limits.max_running",
        set='dms.set_config("scheduler.limits.max_running", next(values))',
        load="make()",
    )
