"""Switches for thinking: read in whichever vendor's words they come, and said in another's.

Sources of the words: `reasoning_effort` is OpenAI's, `enable_thinking` and `thinking_budget` are
DashScope's and SiliconFlow's, `thinking` is Ark's, DeepSeek's, Zhipu's, Moonshot's and Anthropic's,
`reasoning` is OpenRouter's, `think` is Ollama's, `chat_template_kwargs` and `thinking_token_budget`
are those of vLLM, SGLang and llama.cpp, whose models' templates have the words inside,
`disable_reasoning` is Cerebras's, and `extra_body` and `google` are Gemini's, with a
`thinking_config` inside.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

# From no thinking to the most of it.
LEVELS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
_NO_THINKING = frozenset(["none", "minimal"])
_ON = frozenset(["enabled", "adaptive", "on", "true"])
_OFF = frozenset(["disabled", "off", "false"])
_LEFT_TO_THE_MODEL = frozenset(["", "auto", "dynamic"])


@dataclass(frozen=True, slots=True)
class Wish:
    """What a caller wants of a model's thinking; None where it says nothing.

    `level` is one of `LEVELS`, `budget` the most tokens to think. The level `minimal` counts as
    off: it is for models that cannot stop thinking altogether.
    """

    is_on: bool | None = None
    level: str | None = None
    budget: int | None = None

    def or_else(self, other: "Wish") -> "Wish":
        """Return this wish, with what it leaves open from another."""
        return Wish(
            other.is_on if self.is_on is None else self.is_on,
            self.level or other.level,
            self.budget or other.budget,
        )


@dataclass(frozen=True, slots=True)
class ThinkingWords:
    """How one vendor is told to think.

    Args:
        on: fields of a request that switch it on; None where nothing does.
        off: those that switch it off.
        level: where the level stands, such as `reasoning.effort`; None where there are no levels.
        levels: those that the vendor takes, in any order; none for all.
        budget: where the most tokens to think stand.
    """

    on: Mapping[str, Any] | None = None
    off: Mapping[str, Any] | None = None
    level: str | None = None
    levels: Sequence[str] = ()
    budget: str | None = None

    @property
    def names(self) -> frozenset[str]:
        """The fields of a request that the vendor's words stand in."""
        paths = [path.partition(".")[0] for path in (self.level, self.budget) if path]
        return frozenset([*(self.on or ()), *(self.off or ()), *paths])

    def says(self, wish: Wish) -> Mapping[str, Any] | None:
        """Return the fields that say what is wished, None if the vendor has no words for it."""
        is_soft = wish.level == "minimal" and self.level is not None
        if wish.is_on is False and not is_soft:
            is_level = wish.level is not None and self.level is not None and not self.levels
            return self.off or (_at(self.level, wish.level) if is_level else None)
        said: list[Mapping[str, Any]] = []
        if wish.is_on and self.on is not None:
            said.append(self.on)
        if wish.level and self.level:
            said.append(_at(self.level, self.nearest(wish.level)))
        elif wish.budget and self.budget:
            said.append(_at(self.budget, wish.budget))
        return reduce(merged, said) if said else None

    def nearest(self, level: str) -> str:
        """Return the level that the vendor takes and that is closest, the higher one of two."""
        if not self.levels or level in self.levels:
            return level
        place = LEVELS.index(level)
        thinking = [one for one in LEVELS[1:] if one in self.levels]
        return min(
            thinking,
            key=lambda one: (abs(LEVELS.index(one) - place), -LEVELS.index(one)),
            default=level,
        )

    def is_own(self, name: str, value: object) -> bool:
        """Whether a field says something in this vendor's words, and not in another's."""
        if name == self.level and self.levels:
            return value in self.levels
        if name == self.budget:
            return value != 0  # no tokens are no budget but another word for off
        if name == "reasoning" and isinstance(value, dict) and value.get("max_tokens") == 0:
            return False
        model = (self.on or {}).get(name)
        if model is None:
            return name in self.names
        if isinstance(model, dict) and isinstance(value, dict):
            # Not every vendor whose models can be switched lets them decide for themselves.
            is_told = name != "thinking" or "type" in value
            return is_told and (value.get("type") != "adaptive" or model.get("type") == "adaptive")
        return type(value) is type(model)


def _at(path: str | None, value: object) -> dict[str, Any]:
    """Put a value at a path: `a.b` gives `{"a": {"b": value}}`."""
    name, _, rest = (path or "").partition(".")
    return {name: _at(rest, value) if rest else value}


def merged(fields: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """Return `fields` with `more`; of an object that both have, the other members stay."""
    both = {
        name: {**fields[name], **value}
        for name, value in more.items()
        if isinstance(value, Mapping) and isinstance(fields.get(name), Mapping)
    }
    return {**fields, **more, **both}


# --- reading ---


def _of_word(value: object) -> Wish:
    """Read a level, or a word for on or off."""
    if isinstance(value, bool):
        return Wish(value)
    if not isinstance(value, str) or value.lower() in _LEFT_TO_THE_MODEL:
        return Wish()
    word = value.lower()
    if word in LEVELS:
        return Wish(word not in _NO_THINKING, word)
    return Wish(word not in _OFF)


def _of_budget(value: object) -> Wish:
    if type(value) is not int or value < 0:
        return Wish()
    return Wish(budget=value) if value else Wish(is_on=False)


def _of_thinking(value: object) -> Wish:
    if not isinstance(value, dict):
        return _of_word(value)
    kind, budget = value.get("type", value.get("enabled")), _of_budget(value.get("budget_tokens"))
    is_on = kind in _ON if isinstance(kind, str) and kind in _ON | _OFF else None
    switch = Wish(kind if isinstance(kind, bool) else is_on)
    return budget if budget.is_on is False else switch.or_else(budget)


def _of_reasoning(value: object) -> Wish:
    if not isinstance(value, dict):
        return _of_word(value)
    enabled, level = value.get("enabled"), _of_word(value.get("effort"))
    budget = _of_budget(value.get("max_tokens"))
    # OpenRouter takes a level or a budget alone for the wish to think.
    implied = Wish(is_on=True) if budget.budget else Wish()
    switch = Wish(enabled) if isinstance(enabled, bool) else Wish()
    return switch.or_else(level).or_else(budget).or_else(implied)


def _of_config(value: object) -> Wish:
    """Read Gemini's `thinking_config`."""
    config = value.get("thinking_config") if isinstance(value, dict) else None
    if not isinstance(config, dict):
        return Wish()
    return _of_word(config.get("thinking_level")).or_else(_of_budget(config.get("thinking_budget")))


def _of_opposite(value: object) -> Wish:
    return Wish(not value) if isinstance(value, bool) else Wish()


def _of_inner(value: object) -> Wish:
    """Read the words inside a template's arguments, or inside an `extra_body` that was sent."""
    return read_wish(value) if isinstance(value, dict) else Wish()


# In the order of their weight: a switch says more than a level, and a level more than a budget.
_READERS: Mapping[str, Callable[[object], Wish]] = {
    "enable_thinking": _of_word,
    "thinking": _of_thinking,
    "think": _of_word,
    "chat_template_kwargs": _of_inner,
    "disable_reasoning": _of_opposite,
    "extra_body": _of_inner,
    "google": _of_config,
    "reasoning": _of_reasoning,
    "reasoning_effort": _of_word,
    "thinking_budget": _of_budget,
    "thinking_token_budget": _of_budget,
}
WORDS = frozenset(_READERS)


def read_wish(body: Mapping[str, Any]) -> Wish:
    """Read what a request says about thinking, in all vendors' words."""
    wishes = [read(body[name]) for name, read in _READERS.items() if name in body]
    wish = reduce(Wish.or_else, wishes, Wish())
    is_stopped = wish.level in _NO_THINKING
    if wish.level is not None and wish.is_on is is_stopped:  # two words contradict each other
        return replace(wish, level=None)
    return wish


# --- translating ---


def translated(
    body: Mapping[str, Any], words: ThinkingWords, taken: frozenset[str]
) -> tuple[dict[str, Any], frozenset[str]]:
    """Put what a request says about thinking into the words of one vendor.

    What is said in its own words already wins.

    Args:
        body: the request.
        words: the vendor's.
        taken: fields that the vendor takes as they are.

    Returns:
        The request, and the fields that were left out although they said something more.
    """
    said = {name: body[name] for name in WORDS if name in body}
    own = {
        name: value
        for name, value in said.items()
        if _is_word(name, value, words)
        and (words.is_own(name, value) or (name in taken and name not in words.names))
    }
    foreign = {name: value for name, value in said.items() if name not in own}
    if not foreign:
        return dict(body), frozenset()
    kept = {name: value for name, value in body.items() if name not in foreign}
    mine, wish = read_wish(own), read_wish(foreign)
    if mine.is_on is not None:
        is_same = wish.is_on in (None, mine.is_on)
        return kept, _unsaid(foreign) if is_same else frozenset(foreign)
    fields = words.says(wish)
    if fields is None:
        return kept, frozenset(foreign)
    return merged(kept, fields), _unsaid(foreign)


def _is_word(name: str, value: object, words: ThinkingWords) -> bool:
    """Whether a vendor that knows the field can know the value: others switch by these words."""
    if name == "reasoning_effort":
        return not isinstance(value, bool) and str(value).lower() not in _ON | _OFF
    if name == "reasoning":  # all but OpenRouter know the effort in it alone
        return isinstance(value, dict) and (name in words.names or "effort" in value)
    return name != "extra_body" or (isinstance(value, dict) and "google" in value)


def _unsaid(foreign: Mapping[str, Any]) -> frozenset[str]:
    """Return what has more to say than can be translated: other arguments of a template."""
    arguments = {name: foreign.get(name) for name in ("chat_template_kwargs", "extra_body")}
    return frozenset(
        name
        for name, value in arguments.items()
        if isinstance(value, dict) and bool(value.keys() - WORDS)
    )
