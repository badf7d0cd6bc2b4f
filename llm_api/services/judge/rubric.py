"""The rubric: what a judge is told, and what its words mean; the texts are files in `config/`."""

from collections.abc import Mapping
from dataclasses import dataclass
from string import Template

from llm_api.domain.judging import Level

ALIGNMENT, TEXT = "alignment", "text_rendering"
QUALITY = ("technical_quality", "artifacts", "composition", "aesthetics", TEXT)
DIMENSIONS = (ALIGNMENT, *QUALITY)
NONE = "none"  # the word for a dimension that a picture does not have: text
LANGUAGES = ("en", "zh")


@dataclass(frozen=True, slots=True)
class Dimension:
    """A dimension: its question, and an anchor for each level, of one line.

    `absent` is the anchor of `none`; None where every picture has the dimension.
    """

    question: str
    anchors: Mapping[Level, str]
    absent: str | None = None


@dataclass(frozen=True, slots=True)
class Rubric:
    """A version of the rubric in one language.

    Attributes:
        version: the name of its folder.
        language: `en` or `zh`.
        alignment, quality, pair, repair: what a model is told, with places for `$form` and
            `$dimensions`.
        dimensions: by name.
        labels: what stands before pictures: `picture`, `reference`, `first`, `second`.
        weights: of the dimensions of quality.
    """

    version: str
    language: str
    alignment: str
    quality: str
    pair: str
    repair: str
    dimensions: Mapping[str, Dimension]
    labels: Mapping[str, str]
    weights: Mapping[str, float]

    def described(self, name: str, *, may_be_absent: bool) -> str:
        """Return what a dimension is, with its levels."""
        dimension = self.dimensions[name]
        lines = [f"{name}: {dimension.question}"]
        lines += [f"- {level}: {anchor}" for level, anchor in dimension.anchors.items()]
        if may_be_absent and dimension.absent is not None:
            lines.append(f"- {NONE}: {dimension.absent}")
        return "\n".join(lines)


def filled(text: str, **places: str) -> str:
    """Return a text of the rubric with its places filled."""
    return Template(text).substitute(places).strip()
