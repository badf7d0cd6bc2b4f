"""Takes out of a text what nobody sees: control signs, escape sequences, hidden letters."""

import re
import unicodedata

_ESCAPE_SEQUENCE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-_])")
# Zero-width and direction signs, and the tags in which letters can be hidden. The two joiners stay:
# emoji and the scripts of Persia and India need them. Half of a pair of UTF-16 is no sign at all: a
# model's JSON can hold one, and no answer can.
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200e\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"
)
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f]")


def clean(text: str) -> str:
    """Return a text in one paragraph, in Unicode's composed form, without what nobody sees."""
    if text.isascii() and text.isprintable():
        return " ".join(text.split())
    text = _INVISIBLE.sub("", _ESCAPE_SEQUENCE.sub("", text))
    return " ".join(unicodedata.normalize("NFC", _CONTROL.sub(" ", text)).split())
