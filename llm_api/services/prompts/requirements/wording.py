"""Writes requirements as sentences that can be answered with yes or no, in English and Chinese."""

from dataclasses import dataclass

from llm_api.services.prompts.vocabulary.words import is_plural, little_words

_HAN_COLORS = {
    "red": "红色",
    "orange": "橙色",
    "yellow": "黄色",
    "green": "绿色",
    "blue": "蓝色",
    "cyan": "青色",
    "purple": "紫色",
    "pink": "粉色",
    "brown": "棕色",
    "black": "黑色",
    "white": "白色",
    "gray": "灰色",
    "gold": "金色",
    "silver": "银色",
    "beige": "米色",
    "colorful": "彩色",
}
_SIDES = {
    "left_of": ("on the left of the picture", "画面的左侧"),
    "right_of": ("on the right of the picture", "画面的右侧"),
    "above": ("at the top of the picture", "画面的上方"),
    "below": ("at the bottom of the picture", "画面的下方"),
}
_RELATIONS = {
    "left_of": ("to the left of", "左边"),
    "right_of": ("to the right of", "右边"),
    "above": ("above", "上方"),
    "below": ("below", "下方"),
    "in front of": ("in front of", "前面"),
    "behind": ("behind", "后面"),
    "beside": ("beside", "旁边"),
    "inside": ("inside", "里面"),
    "on": ("on", "上"),
    "over": ("over", "上空"),
}
# Said without an article, though in the singular.
_UNCOUNTED = little_words("requirements_uncounted")


@dataclass(frozen=True, slots=True)
class Wording:
    """Sentences in a language, `en` or `zh`. Nouns are given as a prompt words them."""

    language: str

    @property
    def _is_chinese(self) -> bool:
        return self.language == "zh"

    def text(self, text: str) -> str:
        """Ask whether a text can be read."""
        if self._is_chinese:
            return f"画面中是否写有“{text}”？"
        return f'Can the text "{text}" be read in the picture?'

    def text_place(self, text: str, relation: str) -> str:
        """Ask whether a text is at a side of the picture."""
        english, chinese = _SIDES[relation]
        return f"“{text}”是否在{chinese}？" if self._is_chinese else f'Is "{text}" {english}?'

    def count(self, noun: str, count: int) -> str:
        """Ask for a number; 0 is none at all."""
        if self._is_chinese:
            return f"画面中是否没有{noun}？" if count == 0 else f"{noun}的数量是否恰好为{count}？"
        if count == 0:
            return f"Is the picture without any {noun}?"
        if count == 1:
            return f"Is there exactly one {noun}?"
        return f"Are there exactly {count} {noun}?"

    def number(self, words: str) -> str:
        """Ask for a number that is only known in the words of its prompt."""
        return f'Is the number of "{words}" right?'

    def with_color(self, noun: str, color: str) -> str:
        """Return a noun with its color."""
        return f"{_HAN_COLORS.get(color, color)}的{noun}" if self._is_chinese else f"{color} {noun}"

    def thing(self, noun: str) -> str:
        """Ask for a thing."""
        if self._is_chinese:
            return f"画面中是否有{noun}？"
        noun = noun.removeprefix("pair of ")
        if is_plural(noun.rpartition(" ")[2]) or noun.rpartition(" ")[2] in _UNCOUNTED:
            return f"Does the picture show {noun}?"
        article = "an" if noun[:1] in set("aeiou") else "a"
        return f"Does the picture show {article} {noun}?"

    def color(self, noun: str, color: str) -> str:
        """Ask for the color of a thing."""
        if self._is_chinese:
            return f"{noun}是否为{_HAN_COLORS.get(color, color)}？"
        return f"{_be(noun)} the {noun} {color}?"

    def position(self, noun: str, relation: str, other: str | None) -> str:
        """Ask for a place, relative to another thing or in the picture."""
        if other is None:
            english, chinese = _SIDES[relation]
            where = chinese if self._is_chinese else english
        else:
            english, chinese = _RELATIONS[relation]
            link = "" if relation == "on" else "的"
            where = f"{other}{link}{chinese}" if self._is_chinese else f"{english} the {other}"
        return f"{noun}是否在{where}？" if self._is_chinese else f"{_be(noun)} the {noun} {where}?"


def _be(noun: str) -> str:
    return "Are" if is_plural(noun.rpartition(" ")[2]) else "Is"
