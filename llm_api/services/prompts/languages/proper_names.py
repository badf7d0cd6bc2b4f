"""Finds names in texts whose words are not known, and whether another text has them.

A name is a word with a capital letter that begins no sentence. German writes all nouns so, and most
scripts have no capitals: there are none to be found, but for names with dots in Japanese.
"""

import re
import unicodedata
from collections.abc import Iterator

from llm_api.services.prompts.languages.tags import VOCABULARY
from llm_api.services.prompts.text import GAP, without_quotes
from llm_api.services.prompts.vocabulary.words import little_words, phrases_by_pair

_WITHOUT_CAPITALS = frozenset({"de", "lb"})
_LATIN_LETTERS = "A-Za-z\u00c0-\u024f\u1e00-\u1eff"
_TOKEN = re.compile(
    rf"[{_LATIN_LETTERS}]+(?:['’\-][{_LATIN_LETTERS}]+)*|[^\W\d_{_LATIN_LETTERS}]+|\d+|[^\w\s]"
)
_WITH_DOTS = re.compile("[\u30a1-\u30fa\u30fc]{2,}(?:・[\u30a1-\u30fa\u30fc]{2,})+")
_COMMON = little_words("names_common") | little_words("nouns_stops")
_STARTS = frozenset(".!?:;…\"“”„«»'‘’(—–-|¶,")
_LETTERS_ALONE = str.maketrans(
    {"đ": "d", "ł": "l", "ø": "o", "ı": "i", "ß": "ss", "æ": "ae", "œ": "oe", "ð": "d", "þ": "th"}
)
# Cyrillic and Greek letters as names are written in Latin ones.
_CYRILLIC = (
    "а a б b в v г g д d е e ё e ж zh з z и i й y к k л l м m н n о o п p р r с s т t у u ф f х kh"
    " ц ts ч ch ш sh щ shch ы y э e ю yu я ya і i ї yi є ye ґ g ў u ј j љ lj њ nj ћ c ђ dj џ dz"
)
_GREEK = (
    "α a β v γ g δ d ε e ζ z η i θ th ι i κ k λ l μ m ν n ξ x ο o π p ρ r σ s τ t υ y φ f χ ch ψ ps"
    " ω o ς s"
)
_SIGNS = [*_CYRILLIC.split(), *_GREEK.split()]
_LATIN = str.maketrans(dict(zip(_SIGNS[::2], _SIGNS[1::2], strict=True)) | {"ъ": "", "ь": ""})
# Written with capitals in some languages, and translated into words without: ages, heavens, gods.
_TRANSLATED = little_words("languages_translated")
_PREFIX = 3
_MIN_NAME = 2
_SAME_SHARE = 0.6


def names_in(text: str, language: str) -> Iterator[str]:
    """Yield the names of a text: runs of words in capitals. A title, all in capitals, has none.

    Japanese parts foreign names by dots.
    """
    if language == "ja":
        yield from _WITH_DOTS.findall(without_quotes(text))
    if language in _WITHOUT_CAPITALS:
        return
    runs = list(_runs(text))
    tokens = [token for token in _TOKEN.findall(without_quotes(text)) if token[0].isalpha()]
    capitals = sum(token[0].isupper() for token in tokens)
    if 2 * capitals > len(tokens):
        return
    for words, is_start in runs:
        known = words[1:] if is_start else words
        if any(map(_is_name, known)):
            yield " ".join(known)


def _is_name(word: str) -> bool:
    key = _key(word)
    return len(word) >= _MIN_NAME and key not in _TRANSLATED and key not in _COMMON


def has_name_across(text: str, name: str) -> bool:
    """Whether a text has a name, be it inflected, in another spelling or in Latin letters."""
    folded = _key(text)
    words = re.findall(r"[^\W\d_]+", folded)
    joined = _key(name).replace(" ", "")
    if joined in folded.replace(" ", ""):
        return True
    for part in re.findall(r"[^\W\d_]+", _key(name)):
        root = part[: max(_PREFIX, round(len(part) * _SAME_SHARE))]
        if len(part) >= _MIN_NAME and any(word.startswith(root[:_PREFIX]) for word in words):
            return True
    return False


def is_full_name(name: str) -> bool:
    """Whether a name is that of somebody or some make: of two words, in capitals, with a digit."""
    words = [word for word in name.split() if _is_name(word)]
    return len(words) > 1 or any(word[1:].upper() == word[1:] and len(word) > 1 for word in words)


def may_be_translated(name: str, original: str, rewrite: str) -> bool:
    """Whether a rewrite has a word in capitals that its original lacks: a name in other letters.

    At the beginning of a sentence it must begin as the name does.
    """
    known, initials = _key(original), {_initial(word) for word in name.split()}
    for words, is_start in _runs(rewrite):
        for at, word in enumerate(words):
            is_usual = (
                is_start and at == 0 and (_initial(word) not in initials or _is_english(word))
            )
            if _key(word) not in known and not is_usual:
                return True
    return False


def _initial(word: str) -> str:
    """Return the first letter of a word, one for those that languages exchange."""
    return _key(word)[:1].translate(str.maketrans("cjqzwp", "kyksvf"))


def _is_english(word: str) -> bool:
    return _key(word) in _COMMON or _key(word) in phrases_by_pair()


def has_capitals(language: str) -> bool:
    """Whether names of a language can be told by their capitals."""
    return language not in _WITHOUT_CAPITALS and language not in VOCABULARY - {"en"}


def _runs(text: str) -> Iterator[tuple[list[str], bool]]:
    """Yield runs of words in capitals, and whether they begin a sentence."""
    run: list[str] = []
    is_start, run_at_start = True, False
    for token in [*_TOKEN.findall(without_quotes(text).replace(GAP, " ¶ ")), "."]:
        if token[0].isupper():
            if not run:
                run_at_start = is_start
            run.append(token)
        elif run:
            yield run, run_at_start
            run = []
        is_start = token[-1] in _STARTS
    if run:
        yield run, run_at_start


def _key(text: str) -> str:
    """Return a text in lower case, in Latin letters without accents as far as that is known."""
    lowered = text.casefold().translate(_LETTERS_ALONE).translate(_LATIN)
    plain = unicodedata.normalize("NFKD", lowered)
    bare = "".join(sign for sign in plain if not unicodedata.combining(sign))
    return bare.translate(_LATIN)
