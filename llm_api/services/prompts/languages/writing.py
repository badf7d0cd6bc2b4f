"""Says whether a rewrite is written in the language that was wanted."""

import re
import unicodedata

from llm_api.services.prompts.languages.detection import (
    LETTERS,
    SCRIPTS_OF,
    english_share,
    is_simplified,
    language_of,
)
from llm_api.services.prompts.languages.english_chinese import is_written_in as is_in_vocabulary
from llm_api.services.prompts.languages.tags import has_vocabulary
from llm_api.services.prompts.text import without_quotes

_LETTERS_OF_WORD = re.compile(r"[^\W\d_]+")
# Of a piece of so many words or more the language can be told, by its share of English words.
_FEW_WORDS, _FEW_ENGLISH, _MOST_ENGLISH = 2, 0.34, 0.6
_MIN_SHARE = 0.6  # of the letters: names may be in others
_MIN_LETTERS = 30  # of less, no language in Latin letters can be told for sure
_WORD = re.compile(r"[^\s\d!-/:-@\[-`{-~、。「」，“”„«»…¡¿।؟،]{2,}")
_MIN_SHARED = 0.25  # of the pieces of a prompt's words
_PIECE, _SHORT_PIECE = 4, 2
# Scripts whose words are short, or not parted: their pieces are of two signs.
_SHORT = re.compile(
    "[\u0590-\u08ff\u0e00-\u0eff\u1000-\u11ff\u1780-\u17ff\u3040-\u9fff\uac00-\ud7af]"
)
# Told apart by a few words, if at all: none of them is wrong for another.
_LIKE = (
    frozenset({"da", "no", "sv"}),
    frozenset({"id", "ms"}),
    frozenset({"cs", "sk"}),
    frozenset({"hr", "sr", "sl", "bs", "mk", "bg"}),
    frozenset({"es", "pt", "gl", "ca", "it"}),
    frozenset({"fi", "et"}),
    frozenset({"nl", "af", "de"}),
    frozenset({"ru", "uk", "be", "bg"}),
    frozenset({"ar", "fa", "ur", "ps", "ckb"}),
    frozenset({"hi", "mr", "ne", "sa"}),
    frozenset({"tr", "az"}),
    frozenset({"zh", "zh-Hant", "yue", "wuu"}),
    frozenset({"tl", "ceb", "id", "ms"}),
)


def is_written_in(rewrite: str, language: str, original: str) -> bool:
    """Whether a rewrite is in a language, given by its canonical tag, throughout.

    Names and quotations may be in others. A language whose script is not known is not judged.
    """
    own = language_of(original)
    if has_vocabulary(language) and has_vocabulary(own):
        return is_in_vocabulary(rewrite, language, original)
    bare = without_quotes(rewrite)
    if not _has_script(bare, language):
        return False
    found = language_of(rewrite)
    if language == "ja" and found != "ja":
        return False  # no kana, or hardly any
    if language == "zh-Hant" and is_simplified(bare):
        return False
    if len(bare) < _MIN_LETTERS:
        return True
    if found == language or any({found, language} <= like for like in _LIKE):
        return True
    # Of languages that the detection does not know, it can only say that a text is none of those.
    return language not in SCRIPTS_OF and found not in {own, "en"}


def is_piece_of_another(piece: str, language: str, original: str) -> bool:
    """Whether a piece of a few words is surely in another language than a text's.

    Names are in none, and words of the original may stay.

    Args:
        piece: such as "soft light from the left".
        language: that of the text, by its canonical tag.
        original: the prompt.
    """
    known = _plain(original)
    words = [
        word
        for word in _LETTERS_OF_WORD.findall(without_quotes(piece))
        if _plain(word) not in known
    ]
    text = " ".join(words)
    if not any(map(str.islower, words)) and text.isascii():
        return False
    if not _has_script(text, language):
        return len(words) >= _FEW_WORDS or _SHORT.search(text) is not None
    if SCRIPTS_OF.get(language, ("latin",)) != ("latin",) or len(words) < _FEW_WORDS:
        return False
    share = english_share([word.casefold() for word in words])
    if language == "en":
        return share < _FEW_ENGLISH and language_of(text) != "en"
    return len(words) > _FEW_WORDS and share >= _MOST_ENGLISH and language_of(text) == "en"


def _has_script(bare: str, language: str) -> bool:
    scripts = SCRIPTS_OF.get(language)
    if scripts is None:
        return True
    every = sum(map(str.isalpha, bare))
    own = sum(len(LETTERS[script].findall(bare)) for script in scripts)
    return own >= _MIN_SHARE * every


def shares_words(original: str, rewrite: str, *, least: float = _MIN_SHARED) -> bool:
    """Whether a rewrite in its original's language has a share of its words, in any form."""
    pieces = [_pieces(word) for word in _WORD.findall(_plain(without_quotes(original)))]
    if not pieces:
        return True
    text = _plain(rewrite)
    shared = sum(any(piece in text for piece in own) for own in pieces)
    return shared >= least * len(pieces)


def _pieces(word: str) -> list[str]:
    """Return the parts of a word of which one is left in its other forms."""
    size = _SHORT_PIECE if _SHORT.search(word) else _PIECE
    return [word[at : at + size] for at in range(max(len(word) - size + 1, 1))]


def _plain(text: str) -> str:
    return unicodedata.normalize("NFC", text.casefold())
