"""Reads what a measuring process says, and leaves out text that is none.

A picture may have taken the process over: everything is converted to the type that it should have.
"""

import unicodedata
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from llm_api.domain.judging import Flag, JudgedPicture, Measurements, ReadText, SeenObject

# In textures letters are found that are none: "0", "8" or "AAA", at up to 0.97 where it is a single
# one. A single Chinese character is a text as any other.
_SURE = 0.8
_SURE_OF_ONE = 0.9
_HAN = "CJK UNIFIED IDEOGRAPH"

Box = tuple[float, float, float, float]


def measurements(
    picture: JudgedPicture,
    said: Mapping[str, Any],
    missing: Mapping[str, str],
    expected_texts: Collection[str],
) -> Measurements:
    """Return what a process has said of a picture.

    Args:
        picture: that was measured.
        said: the head of the answer.
        missing: parts that are not installed, and how to get them.
        expected_texts: texts that stay however short and unsure they are.

    Raises KeyError, TypeError or ValueError where it is no answer of a measuring process.
    """
    texts, objects = said.get("texts"), said.get("objects")
    expected = {_plain(text) for text in expected_texts}
    return Measurements(
        picture.width,
        picture.height,
        flags=tuple(_flag(*one) for one in said["flags"]),
        texts=None if texts is None else tuple(_credible(texts, expected)),
        objects=None if objects is None else tuple(_object(*one) for one in objects),
        unavailable={**missing, **_words(said["unavailable"])},
        versions=_words(said["versions"]),
        seconds=float(said["seconds"]),
    )


def _words(said: Mapping[str, Any]) -> dict[str, str]:
    return {str(name): str(value) for name, value in said.items()}


def _flag(name: object, value: Any, threshold: Any, is_set: object) -> Flag:
    return Flag(str(name), float(value), float(threshold), bool(is_set))


def _object(label: object, confidence: Any, box: Any) -> SeenObject:
    return SeenObject(str(label), float(confidence), _box(*box))


def _box(left: Any, top: Any, right: Any, bottom: Any) -> Box:
    return float(left), float(top), float(right), float(bottom)


def _credible(texts: Any, expected: Collection[str]) -> Iterator[ReadText]:
    for text, confidence, box in texts:
        one = ReadText(str(text), float(confidence), _box(*box))
        if _is_credible(one) or _plain(one.text) in expected:
            yield one


def _is_credible(one: ReadText) -> bool:
    letters = [sign for sign in one.text if not sign.isspace()]
    if len(letters) == 1:
        return one.confidence >= _SURE_OF_ONE and _is_han(letters[0])
    return bool(letters) and one.confidence >= _SURE


def _is_han(sign: str) -> bool:
    return unicodedata.name(sign, "").startswith(_HAN)


def _plain(text: str) -> str:
    """Return a text for comparisons: one form of each letter, no case, no spaces."""
    return "".join(unicodedata.normalize("NFKC", text).casefold().split())
