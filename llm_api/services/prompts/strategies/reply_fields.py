"""Finds the prompts in the JSON of a reply, whatever its fields are named and however it is broken.

Models rename the field that they were asked for, nest it, put other fields beside it, or write JSON
that no parser reads. A field for something else (what is unwanted, the original, a reason) is never
taken for the prompt.
"""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import json_repair

_KEYS = ("optimized_prompt", "optimized_prompts", "optimizedPrompt", "rewritten_prompt", "prompt")
# Pieces of fields' names, the better first. "promt" is how small models write it.
_RANKS = (
    re.compile(
        r"optimi[sz]|enhanc|rewrit|improv|refin|revis|polish|expand|upsampl|final|better|\bnew\b"
        r"|优化|改写|润色|扩写|最终|最適|改善|최적"
    ),
    re.compile(r"prom(?:p)?t|\bpositive\b|提示词|正向|プロンプト|프롬프트|промпт"),
    re.compile(
        r"\b(?:answers?|results?|outputs?|responses?|texts?|contents?|captions?|descriptions?"
        r"|data|values?|arguments?|messages?|choices|properties|body|items|candidates"
        r"|options?|versions?|variations?|variants?|alternatives?|en|zh|english|chinese)\b"
        r"|描述|结果|内容|答案|方案|版本"
    ),
)
_ANY = len(_RANKS) + 1
_NOT_PROMPTS = re.compile(
    r"\b(?:negatives?|avoid|exclu\w+|unwanted|original\w*|source|(?<!action )(?<!tool )input|user"
    r"|system|old|before"
    r"|reason\w*|rationale|expla\w+|notes?|thoughts?|think\w*|analysis|chang\w*|improvements"
    r"|enhancements|optimi[sz]ations|added|additions|keep|kept|title|name|style|language|model"
    r"|id|type|role|errors?|warnings?|status|counts?|length|refusal|summary|comments?|tips?)\b"
    r"|负|反向|原|说明|解释|理由|思考|备注|变化|改动"
)
_WORDS_OF_NAME = re.compile(r"(?<=[a-z])(?=[A-Z])|[_\-.\s]+")
_NUMBERED = re.compile(r"(?:[a-z ]{0,20})(?:\d{1,2}|\b[a-f]|[一二三四五六])\Z")
# A field of another name has a prompt if it has so many words, or so many Chinese characters.
_MIN_WORDS, _MIN_HAN = 4, 8
_HAN = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_MAX_DEPTH = 8
_BAD_ESCAPE = re.compile(r"\\(?![\"\\/bfnrtu])")
# A field whose text has quotation marks that are not escaped: its end stands before another field.
_FIELD = re.compile(
    r"[\"'“]?([A-Za-z_][\w \-]{0,40}|[\u4e00-\u9fff]{1,12})[\"'”]?\s*(?:::|[:=])\s*"
    r"(?:\"\"\"(.+?)\"\"\"|[\"“](.+?)[\"”](?=\s*(?:,\s*(?:[\"'“}\]]|//|/\*|\Z)"
    r"|[\"'“]\w{1,40}[\"'”]\s*:|[}\])]|\Z))"
    r"|'(.+?)'(?=\s*(?:,\s*(?:[\"'}\]]|\w{1,40}\s*:)|[}\]]|\Z)))",
    re.DOTALL,
)
# A field whose text stands there without any marks.
_BARE_FIELD = re.compile(
    r"\{\s*[\"']?([A-Za-z_]\w{0,40})[\"']?\s*:\s*([^\"'{}\[\]\s][^{}\[\]]+?)"
    r"\s*(?:,\s*[\"']?[A-Za-z_]\w{0,40}[\"']?\s*:|\}\s*\Z)"
)
_ESCAPED_WHOLE = re.compile(r"\s*\{(?:\\n|\s)*\\\"")
_MAX_FIELDS = 400  # in JSON that no parser reads: each is looked for up to the end of the text
_BEGINS_AS_FIELD = re.compile(r"\s*(?:json\s+)?[\"'“]?[A-Za-z]+_\w{1,40}[\"'”]?\s*[:=]\s*[\"'“]")


class _Found(NamedTuple):
    """Texts, and how sure it is that they are prompts: the lower the rank, the surer."""

    rank: int
    texts: Sequence[str]


_NOTHING = _Found(_ANY + 1, ())


def known_prompts(document: Any) -> Sequence[str] | None:
    """Return the text or texts of the first field that we ask for, None if there are none."""
    if not isinstance(document, dict):
        return None
    for key in _KEYS:
        value = document.get(key)
        if isinstance(value, str):
            return [value]
        if isinstance(value, list) and any(isinstance(item, str) for item in value):
            return [item for item in value if isinstance(item, str)]
    return None


def prompts_of_json(text: str) -> Sequence[str] | None:
    """Return the prompts of the JSON in a text, None if it has no JSON with a prompt in it."""
    if "{" not in text and "[" not in text and '"' not in text:
        return None
    text = _unescaped_whole(text) if _ESCAPED_WHOLE.match(text) else text
    documents = list(_documents(text))
    found = _best([_search(document, 0) for document in documents])
    if found.texts:
        return found.texts
    if "{" not in text and not _BEGINS_AS_FIELD.match(text):
        return None
    return _best(list(_broken(text, is_read=bool(documents)))).texts or None


def _unescaped_whole(text: str) -> str:
    """Return JSON that was escaped as a text once more than it should be."""
    loaded = _loaded(f'"{text}"')
    return loaded if isinstance(loaded, str) else text


def _best(found: Sequence[_Found]) -> _Found:
    """Return all texts of the best rank, in their order."""
    rank = min((one.rank for one in found if one.texts), default=_ANY + 1)
    return _Found(rank, [text for one in found if one.rank == rank for text in one.texts])


def _documents(text: str) -> Iterator[Any]:
    """Yield the whole objects and lists of a text, or the text itself where it is JSON."""
    whole = _loaded(text)
    if whole is not None:
        yield whole
        return
    decoder = json.JSONDecoder(strict=False)
    mended = _BAD_ESCAPE.sub("", text) if "\\" in text else text
    at = _next_opener(mended, 0)
    while at >= 0:
        try:
            document, end = decoder.raw_decode(mended, at)
        except (ValueError, RecursionError):
            end = at + 1
        else:
            if document:
                yield document
        at = _next_opener(mended, end)


def _next_opener(text: str, start: int) -> int:
    found = [at for at in (text.find("{", start), text.find('["', start)) if at >= 0]
    return min(found, default=-1)


def _loaded(text: str) -> Any:
    try:
        return json.loads(text, strict=False)
    except (ValueError, RecursionError):
        return None


def _search(value: Any, depth: int) -> _Found:
    if depth > _MAX_DEPTH:
        return _NOTHING
    if isinstance(value, str):
        inner = _loaded(value) if value.lstrip()[:1] in {"{", "["} else None
        return _search(inner, depth + 1) if inner else _Found(0, [value] if value.strip() else [])
    if isinstance(value, list):
        texts = [text for item in value for text in _search(item, depth + 1).texts]
        # A list that stands for itself may be one of changes or tags.
        return _Found(0, texts if depth else [text for text in texts if _is_long(text)])
    if not isinstance(value, dict):
        return _NOTHING
    known = known_prompts(value) if depth == 0 else None
    if known is not None and not known[0].lstrip().startswith("{"):
        return _Found(0, known)
    return _best(_numbered(value, depth) or [_field(*item, depth) for item in value.items()])


def _numbered(document: dict[str, Any], depth: int) -> Sequence[_Found]:
    """Return the texts of fields such as `option_1` and `option_2`, if all have such names."""
    names = [_plain(name) for name in document]
    if len(names) < 2 or not all(map(_NUMBERED.match, names)):
        return []
    return [_Found(0, _search(value, depth + 1).texts) for value in document.values()]


def _field(name: str, value: Any, depth: int) -> _Found:
    rank = _rank(name)
    if rank > _ANY:
        return _NOTHING
    if rank < _ANY - 1 and isinstance(value, dict) and (parts := _parts(value)):
        return _Found(rank, [", ".join(parts)])
    found = _search(value, depth + 1)
    if rank >= _ANY - 1 and isinstance(value, str):
        return _Found(rank, [text for text in found.texts if _is_long(text)])
    return _Found(rank, found.texts)


def _parts(document: dict[str, Any]) -> Sequence[str]:
    """Return the parts of a prompt that is told in fields of its own, such as `lighting`."""
    if len(document) < 2 or any(_rank(name) != _ANY for name in document):
        return []
    parts = [value.strip() for value in document.values() if isinstance(value, str)]
    return parts if len(parts) == len(document) else []


def _rank(name: str) -> int:
    if name in _KEYS:
        return 0
    plain = _plain(name)
    if _NOT_PROMPTS.search(plain):
        return _ANY + 1
    ranks = (rank for rank, words in enumerate(_RANKS, 1) if words.search(plain))
    return next(ranks, _ANY)


def _plain(name: str) -> str:
    return " ".join(filter(None, _WORDS_OF_NAME.split(name))).lower()


def _is_long(text: str) -> bool:
    return len(text.split()) >= _MIN_WORDS or len(_HAN.findall(text)) >= _MIN_HAN


def _broken(text: str, *, is_read: bool) -> Iterator[_Found]:
    """Yield what can be read of JSON that is none."""
    if text.count(":") + text.count("=") > _MAX_FIELDS:
        return
    is_any = False
    for one in _FIELD.finditer(text):
        rank, said = _rank(one[1]), next(filter(None, one.groups()[1:]))
        if rank < _ANY:
            is_any = True
            yield _Found(rank, [_unescaped(said)] if rank < _ANY - 1 or _is_long(said) else [])
    if not is_any and not is_read and (bare := _BARE_FIELD.search(text)) and _rank(bare[1]) < _ANY:
        yield _Found(_rank(bare[1]), [bare[2].strip()])
    elif not is_any and not is_read and "{" in text and _RANKS[1].search(text):
        found = _search(_repaired(text[text.index("{") :]), 0)
        yield found if found.rank < _ANY else _NOTHING


def _unescaped(text: str) -> str:
    """Return a text without the escapes of JSON, as far as they are some."""
    bare = _BAD_ESCAPE.sub("", text)
    escaped = re.sub(r'(?<!\\)"', r"\"", bare)
    loaded = _loaded(f'"{escaped}"')
    return loaded if isinstance(loaded, str) else text


def _repaired(text: str) -> Any:
    try:
        found = json_repair.loads(text)
    except (RecursionError, ValueError):
        return None
    return found if isinstance(found, dict | list) else None
