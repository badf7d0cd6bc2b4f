"""What the detector has names for: the 80 of COCO, and words that mean one of them or several.

COCO: Lin et al., Microsoft COCO: Common Objects in Context, 2014, and its `instances` file. The
vocabulary of prompts names its things as COCO does, in English and Chinese.
"""

import re
from collections.abc import Mapping

_NAMES = """
person|bicycle|car|motorcycle|airplane|bus|train|truck|boat|traffic light|fire hydrant|stop sign
parking meter|bench|bird|cat|dog|horse|sheep|cow|elephant|bear|zebra|giraffe|backpack|umbrella
handbag|tie|suitcase|frisbee|skis|snowboard|sports ball|kite|baseball bat|baseball glove|skateboard
surfboard|tennis racket|bottle|wine glass|cup|fork|knife|spoon|bowl|banana|apple|sandwich|orange
broccoli|carrot|hot dog|pizza|donut|cake|chair|couch|potted plant|bed|dining table|toilet|tv|laptop
mouse|remote|keyboard|cell phone|microwave|oven|toaster|sink|refrigerator|book|clock|vase|scissors
teddy bear|hair drier|toothbrush
"""
COCO = frozenset(_NAMES.strip().replace("\n", "|").split("|"))
# Vehicles and animals of COCO, for words that mean any of them.
_ANIMALS = frozenset(
    ["bird", "cat", "dog", "horse", "sheep", "cow", "elephant", "bear", "zebra", "giraffe"]
)
_VEHICLES = frozenset(["bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat"])
# One of these is seen: then the thing is seen. The other way round nothing follows.
_ANY_OF: Mapping[str, frozenset[str]] = {
    "animal": _ANIMALS,
    "vehicle": _VEHICLES,
    "ball": frozenset({"sports ball"}),
    "table": frozenset({"dining table"}),
    "sofa": frozenset({"couch"}),
    "television": frozenset({"tv"}),
    "hair dryer": frozenset({"hair drier"}),
    "computer mouse": frozenset({"mouse"}),
    "computer keyboard": frozenset({"keyboard"}),
    "tv remote": frozenset({"remote"}),
    "smartphone": frozenset({"cell phone"}),
    "teddy": frozenset({"teddy bear"}),
}
# What surrounds things and is never taken for one of them.
_SCENERY = """
sky cloud sun moon star sea ocean lake river beach sand mountain hill valley field meadow grass
forest tree garden park street road city village town house building bridge wall floor room
kitchen bedroom office cafe restaurant window door sunset sunrise rain snow fog desert island
waterfall rock path lawn yard square market shop store station platform space planet
"""
SCENERY = frozenset(re.findall(r"\w+", _SCENERY))


def labels_of(thing: str | None) -> frozenset[str]:
    """Return the detector's names of which one suffices for a thing; empty if it has none."""
    if thing in COCO:
        return frozenset({thing})
    return _ANY_OF.get(thing or "", frozenset())
