"""Finds the pictures that an instruction names: "image 1", 图2, "the second picture", @image3."""

import re
from typing import NamedTuple

_ORDINALS = {"first": 1, "second": 2, "third": 3, "一": 1, "二": 2, "三": 3}
_REFERENCE = re.compile(
    r"@?\b(?:image|picture|photo|photograph|img|figure|fig\.)\s?#?([1-9])(?![\w%]|[.:x]\d)"
    r"|\b(first|second|third) (?:image|picture|photo|photograph)\b"
    r"|@?(?:图片|图像|照片|图)\s?([1-9一二三])(?![\d.:])"
    r"|第([一二三1-9])[张幅](?:图片|图像|照片|图)?",
    re.IGNORECASE,
)
# In other languages a word that is like theirs in front of a number: "Bild 1", "imagen 2".
_FOREIGN = re.compile(
    r"\b(?:bild|imagen|imagem|immagine|foto|photo|image|afbeelding|obraz\w*|zdjęci\w+|görsel|resim"
    r"|gambar|изображени\w+|картин\w+|фото|kuva\w*|billede\w*|kép\w*|hình|ảnh)\s?([1-9])\b"
    r"|(?:画像|写真|이미지|사진)\s?([1-9])",
    re.IGNORECASE,
)


class Reference(NamedTuple):
    """A picture that a text names: its number from 1, and where the text does so."""

    number: int
    start: int
    end: int


def references_in(text: str) -> list[Reference]:
    """Return the pictures that a text names, from left to right."""
    found = [_read(match) for match in _REFERENCE.finditer(text)]
    if not found:
        found = [_read(match) for match in _FOREIGN.finditer(text)]
    return found


def without_references(text: str) -> str:
    """Return a text of the same length with a gap in place of every picture that it names."""
    for reference in references_in(text):
        gap = "¶".center(reference.end - reference.start)
        text = text[: reference.start] + gap + text[reference.end :]
    return text


def _read(match: re.Match[str]) -> Reference:
    word = next(filter(None, match.groups())).casefold()
    return Reference(_ORDINALS.get(word) or int(word), match.start(), match.end())
