"""Texts in Chinese and English for tests of reading, drawn as posters are."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from PIL import Image, ImageFilter, ImageFont

from tests.pictures import scenes

_CHINESE = (
    *("欢迎光临", "新年快乐恭喜发财", "今日特价￥19.9", "第2杯半价", "禁止停车", "生日快乐"),
    *(
        "上海国际电影节",
        "营业时间",
        "春江水暖鸭先知",
        "中秋团圆",
        "请勿触摸展品",
        "大促销满100减20",
    ),
    *("北京欢迎你", "安全出口", "手工咖啡", "周末音乐会", "人工智能改变生活", "小心地滑"),
)
_ENGLISH = (
    *("OPEN 24 HOURS", "Grand Opening", "SALE 50% OFF", "Happy Birthday", "No Parking", "COFFEE"),
    *("Summer Festival 2026", "Hello World", "EXIT", "Fresh Bread Daily", "Do Not Touch", "CAFÉ"),
    *("Jazz Night", "Limited Edition", "THE LAST TRAIN", "Room 204", "Made in China", "Thank You!"),
)
MISSPELT = (
    *("Grand Openinng", "COFFE HOUSR", "Happy Brithday", "Welcom", "RESTARAUNT", "No Parkking"),
    *("Summer Festval", "Limitted Edition", "Fresh Braed", "Thnak You", "生日快了", "欢迎光顾临"),
)
_INKS = (("black", 0), ("#7a1020", 0), ("white", 1), ("#ffe680", 1))


@dataclass(frozen=True)
class Poster:
    """A picture and the texts in it, from top to bottom."""

    image: Image.Image
    texts: Sequence[str]


def posters(texts: Sequence[str] = _CHINESE + _ENGLISH) -> Iterator[Poster]:
    """Yield posters of four texts: two faces, several sizes, plain grounds and photographs."""
    chance = Random(7)  # noqa: S311  # the same posters each time
    left = chance.sample(texts, len(texts))
    grounds = [name for name, _ in scenes.photographs()]
    while left:
        some, left = left[:4], left[4:]
        photograph = chance.choice(grounds) if len(left) % 8 else ""
        ink, is_light = chance.choice(_INKS)
        image = _ground(photograph, is_light=bool(is_light))
        for place, text in enumerate(some):
            _write(image, text, place, chance.choice((scenes.SANS, scenes.SERIF)), ink)
        yield Poster(image, some)


def _ground(photograph: str, *, is_light: bool) -> Image.Image:
    if not photograph:
        return Image.new("RGB", (1024, 1024), "#23395b" if is_light else "#e9dcc0")
    image = scenes.photograph(photograph).resize((1024, 1024), Image.Resampling.LANCZOS)
    veil = Image.new("RGB", image.size, "black" if is_light else "white")
    return Image.blend(image.filter(ImageFilter.GaussianBlur(1)), veil, 0.45)


def _write(image: Image.Image, text: str, place: int, font: Path, ink: str) -> None:
    size = (40, 64, 96, 120)[place]
    while ImageFont.truetype(font, size).getlength(text) > 920:
        size -= 4
    scenes.write(image, text, (50, 60 + 240 * place), size, color=ink, font=font)
