"""Checks a rewrite's form: a single paragraph in the wanted language, and nothing but a prompt.

`has_markup` and `chatter_words` serve checks that only the service makes.
"""

import re
from collections.abc import Iterator

from llm_api.domain.prompts import RewriteRequirements
from llm_api.services.prompts.checks.comparison import Comparison
from llm_api.services.prompts.checks.violations import Violation, violation_of
from llm_api.services.prompts.constraints.syntax import without_end
from llm_api.services.prompts.language import is_written_in
from llm_api.services.prompts.languages.tags import has_vocabulary, languages, length_ratio, name_of
from llm_api.services.prompts.text import (
    SENTENCE_STOPS,
    fold,
    lower,
    tokens_of,
    without_quotes,
)
from llm_api.services.prompts.vocabulary.words import little_words

_REFUSAL = re.compile(
    r"\A[\s\"'“*]*(?:i['’]?m (?:so |very |really )?(?:sorry|afraid|unable|not able)\b"
    r"|i am (?:so |very )?(?:sorry|afraid|unable|not able)\b|sorry[,.!;:—-]|"
    r"(?:my )?apologies\b|i apologize\b"
    r"|(?:unfortunately,? )?i (?:can(?:['’]?t|not| not)|won['’]?t|will not|must decline|do not|"
    r"don['’]?t|"
    r"refuse|am not)\b(?=[^.]{0,60}\b(?:help|assist|draw|create|generat|comply|fulfill|"
    r"do (?:that|this)|"
    r"provide|produce|process|writ|rewrit|continue|answer|share|have|engage|able|that|this|"
    r"able to))"
    r"|as an? (?:ai|(?:large )?language model)\b|this request (?:violates|cannot|can['’]t)"
    r"|(?:很|非常|实在|真的)?(?:抱歉|对不起|不好意思)|作为(?:一个|一名)?\s*(?:AI|人工智能|语言模型|大语言模型)"
    r"|我(?:不能|无法|没办法|没有办法)(?:帮|为|提供|生成|创作|完成|满足|处理|回答|协助|继续)"
    r"|无法(?:提供|生成|完成|满足|处理|协助))",
    re.IGNORECASE,
)
_PREAMBLE = re.compile(
    r"\A[\s\"'“*#]*(?:(?:sure|certainly|of course|okay|ok|absolutely|great|gladly|got it|"
    r"alright)(?:[,!:]|\.\s| thing\b)"
    r"|here(?:['’]s| is| are|'s)\s+(?:an?|the|your|my|one|some|is)\b[^\n.:]{0,60}(?:prompt|"
    r"version|rewrit|description|"
    r"revis|optimi[sz]|result|output|answer|enhanced|improved)"
    r"|i(?:['’]ve| have| will|['’]ll) (?:rewrit|enhanc|improv|optimi[sz]|refin|creat|revis|"
    r"expand|made)"
    r"|i(?:['’]m| am) (?:so |very |more than )?(?:happy|glad|pleased|delighted) to\b"
    r"|the user (?:wants|asks|is asking|asked|requests|would like)\b"
    r"|let me (?:think|help|rewrite)\b"
    r"|(?:the |your |my )?(?:final |new )?(?:optimi[sz]ed|rewritten|improved|enhanced|revised|"
    r"refined|expanded|updated|"
    r"final|polished|detailed) (?:image |video |text )?(?:prompt|version|description|output|"
    r"result)\b"
    r"[^\n.:：]{0,20}[:：]"
    r"|(?:prompt|output|answer|result|rewrite)\s*[:：]"
    r"|(?:positive|optimi[sz]ed)[ _]prompt\b"
    r"|好的?[，,。!！:：]|当然[，,！!可]|没问题|可以的?[，,！!]|以下(?:是|为)|下面是|这是(?:优化|改写|润色|为您|为你)"
    r"|(?:改写|优化|润色|扩写|修改|完善|增强)(?:后|之后|过)?的?(?:提示词|prompt|描述|版本|文本|结果|内容|文案)?\s*(?:如下)?\s*[：:]"
    r"|提示词\s*[：:]|根据您?你?的(?:要求|需求|描述)"
    r"|用户(?:想要|希望|要求|需要)|(?:很|非常)?高兴(?:为|能为)[您你])",
    re.IGNORECASE,
)
_CLOSING_CHATTER = re.compile(
    r"(?:let me know\b|i hope (?:this|that|you)|hope this helps|feel free to|"
    r"would you like (?:me|any)|what do you think|"
    r"(?:this|the (?:revised|enhanced|rewritten|optimi[sz]ed)) (?:prompt|rewrite)\b|"
    r"(?:^|[.!]\s)(?:why (?:this|it|i)\b|i(?:['’]ve| have)? (?:also )?(?:added|kept|made|included|"
    r"expanded|enriched|preserved|rewrote|incorporated|emphasi[sz]ed)\b|"
    r"(?:shall|should|can|do|would|could) (?:i|you)\b[^.!?]{0,80}\?)|"
    r"if you (?:need|want|would like|have any)\b[^.]{0,60}(?:me|let|chang|adjust|question)|"
    r"(?:^|[.!]\s)(?:notes?|(?:key )?changes(?: made)?|(?:key )?improvements|explanation|"
    r"rationale|reason(?:s|ing)?|tips?)\s*:|"
    r"希望(?:这|对你|对您|能帮)|如(?:果|需|有)[^。]{0,20}(?:告诉我|请告知|调整|修改)|请告诉我|[您你]觉得(?:怎么样|如何)|"
    r"(?:这|此|该|本)(?:个|条|段|份)?(?:提示词|改写)|需要我|是否需要|要不要我|"
    r"我(?:添加|补充|加入|增加|保留|优化|调整)了|"
    r"(?:注|说明|备注|理由|原因|亮点|思路|解析|建议|为什么这样写)\s*[：:])",
    re.IGNORECASE,
)
_RESIDUE = re.compile(
    r"</?(?:think|thinking|answer|prompt|optimized_prompt|reasoning|analysis|output|system|"
    r"user|assistant|s|br|p|div|html|body|head)\b[^>\n]{0,40}>"
    r"|<\|[^|\n]{0,40}\|>|\[/?(?:INST|SYS)\]|<</?SYS>>"
    r"|\b(?:optimized_prompt|negative_prompt|add_details|enhance_details|original_prompt)\b"
    r"|[{\[]\s*[\"'][^\"'\n]{1,40}[\"']\s*:|[\"']\s*[}\]]\s*\Z|\A\s*[{\[]|\\n|\\u[0-9a-f]{4}|\\\"|<!doctype",
    re.IGNORECASE,
)
_MARKDOWN = re.compile(
    r"```|`[^`\n]{1,80}`|\*\*[^*\n]|(?:(?<=\s)|\A)__[^_\s][^_\n]{0,80}__|^\s{0,3}#{1,6}\s|"
    r"^\s*(?:[-*+•]|\d{1,2}[.)、])\s+\S"
    r"|!?\[[^\]\n]{1,80}\]\([^)\n]{1,200}\)|^\s*[-*_]{3,}\s*$|^\s*>\s|\n",
    re.MULTILINE,
)
_DANGLING = re.compile(
    r"(?:\b(?:a|an|the|of|and|or|with|in|on|at|to|from|by|for|its|his|her|their|as|into|while|"
    r"that|which|is|are|"
    r"was|were|very|between)|[,;:\-–—(\[（，、；：]|[的和与在着把被及或以是])\s*\Z",
    re.IGNORECASE,
)
_CLOSERS = "\"'”’」』》〉»)）]"
_INNER_STOP = re.compile(r"[a-z)\"'”][.!?]\s+[A-Z\"'“]|[。！？]")
_OPENERS = {"“": "”", "「": "」", "『": "』", "《": "》", "(": ")", "（": "）"}
_SHOWN = 40
# Cheap signs that the slow patterns above are worth a search. Each is looked for in turn: that
# takes a fifth of the time of a pattern of them.
_CHATTER_HINTS = (
    *("let me", "hope", "feel free", "would you", "if you", "what do", "prompt", "rewrite", "why "),
    *(" i'", " i’", " i ", "?", ":", "："),
    *("希望", "如", "请告", "觉得", "提示", "我", "改写", "需要"),
)
_RESIDUE_MARKS = "<>[]{}\\_|"
_MARKDOWN_MARKS = "`*_[\n"
_FOREIGN_MARKUP = re.compile(
    r"</?[a-z!|][^<>]{0,200}>|</?[a-z!|]|<\|?\w{2,20}\|?>|!?\[[^\]\n]{0,200}\]\([^)\n]{0,400}\)|```|~~~|\{\s*[\"']\w+[\"']\s*:"
    r"|\[/?(?:inst|sys(?:tem)?|user|assistant)\]|<<\w+>>|^\s*#{1,6}\s|\*\*|&(?:lt|gt|amp|#\d+);"
    r"|(?:^|[.!?。！？]\s*)(?:system|assistant|user|human|系统|助手|用户)\s*[:：]",
    re.IGNORECASE,
)
# Without these there is no markup, address or cargo.
_SUSPICIOUS = "<[`~{#*&:：\\"
_LONG_WORD = re.compile(r"[A-Za-z0-9+/_-]{24}")
_SHORT_WORDS = re.compile(r"(?:[^ ]{0,23}+ )*+[^ ]{0,23}+")  # quicker than to look for a long one
_ADDRESS = re.compile(r"(?:https?|ftp|file|javascript|data):\S+|\bwww\.\S+", re.IGNORECASE)
_CARGO = re.compile(
    r"(?=[A-Za-z0-9+/_-]*\d)[A-Za-z0-9+/_-]{24,}={0,2}|(?:\\x[0-9a-f]{2}|\\u[0-9a-f]{4}){3,}"
)
_CHATTER = little_words("chatter")
_TO_READERS = little_words("chatter_to_readers")
# A remark in any language in front of a rewrite: "Aquí está el prompt mejorado:".
_REMARK = re.compile(r"\A[^\n.:：]{0,60}\bprompt\w*[^\n.:：]{0,30}[:：]", re.IGNORECASE)
_OPENERS_OF_TEXTS = " \n\"'“”„«»¡¿*"
_MAX_CHARS = 6_000
# A rewrite without new details may be so many times as long as its prompt, and so much longer.
_CLARITY_GROWTH = 1.3
_CLARITY_SLACK = 80


def find_form_violations(comparison: Comparison) -> Iterator[Violation]:
    """Find text around the prompt, markup, a missing end, a wrong language or length."""
    original, rewrite, wanted = comparison.original, comparison.rewrite, comparison.wanted
    bare = without_quotes(rewrite)
    if _refuses(rewrite, comparison) and not _refuses(original, comparison):
        yield violation_of("refusal")
    for code, found in (
        ("preamble", _PREAMBLE.search(bare)),
        ("preamble", _closing_chatter(bare)),
        ("preamble", None if comparison.is_read else _REMARK.search(bare)),
        ("residue", _residue(rewrite)),
        ("markdown", _markdown(bare)),
    ):
        if found and found[0].strip() not in original:
            yield violation_of(code, found[0].strip()[:_SHOWN] or "a line break")
    if _is_cut(original, rewrite, is_tags=wanted.is_tags):
        yield violation_of("truncated")
    # Words of the style may stay, too.
    known = f"{original} {wanted.style}" if wanted.style else original
    if rewrite != original and not is_written_in(rewrite, wanted.language, known):
        yield violation_of("wrong_language", name_of(wanted.language))
    before = round(len(original) * length_ratio(comparison.constraints.language, wanted.language))
    yield from _length(max(before, len(original)), len(rewrite), wanted)


def _refuses(text: str, comparison: Comparison) -> bool:
    """Whether a text begins as a refusal does, in English, Chinese or the languages at hand."""
    if _REFUSAL.search(text):
        return True
    start = text.lstrip(_OPENERS_OF_TEXTS).casefold()
    own = {comparison.constraints.language, comparison.wanted.language}
    known = (languages().get(tag) for tag in own if not has_vocabulary(tag))
    return any(one and one.refusal and one.refusal.match(start) for one in known)


def _length(before: int, after: int, wanted: RewriteRequirements) -> Iterator[Violation]:
    limit = wanted.max_length or _MAX_CHARS
    if not wanted.enhance_details:
        limit = min(limit, round(before * _CLARITY_GROWTH) + _CLARITY_SLACK)
    if after > limit:
        yield violation_of("too_long", limit)
    if wanted.min_length and after < wanted.min_length:
        yield violation_of("too_short", wanted.min_length)


def has_markup(text: str, original: str) -> bool:
    """Whether a text has markup, addresses or encoded cargo that its original lacks."""
    if not _is_suspicious(text):
        return False
    return any(
        found[0].strip() not in original
        for pattern in (_FOREIGN_MARKUP, _ADDRESS, _CARGO)
        for found in pattern.finditer(text)
    )


def _is_suspicious(text: str) -> bool:
    if any(map(text.__contains__, _SUSPICIOUS)) or "www." in lower(text):
        return True
    return not _SHORT_WORDS.fullmatch(text) and bool(_LONG_WORD.search(text))


def chatter_words(text: str) -> frozenset[str]:
    """Return the words by which a text speaks of its author or of the request: "I", "please"."""
    return _CHATTER.intersection(_bare_tokens(text))


def addresses_reader(text: str) -> bool:
    """Whether a text says "you" or "we"."""
    return not _TO_READERS.isdisjoint(_bare_tokens(text))


def _bare_tokens(text: str) -> list[str]:
    return tokens_of(fold(without_quotes(text)))


def _closing_chatter(text: str) -> re.Match[str] | None:
    has_hints = any(map(lower(text).__contains__, _CHATTER_HINTS))
    return _CLOSING_CHATTER.search(text) if has_hints else None


def _residue(text: str) -> re.Match[str] | None:
    return _RESIDUE.search(text) if any(map(text.__contains__, _RESIDUE_MARKS)) else None


def _markdown(text: str) -> re.Match[str] | None:
    """Find Markdown; without any of its marks it can only be that of a line's start."""
    has_marks = any(map(text.__contains__, _MARKDOWN_MARKS))
    return (_MARKDOWN.search if has_marks else _MARKDOWN.match)(text)


def _is_cut(original: str, rewrite: str, *, is_tags: bool) -> bool:
    """Whether the end of a rewrite is missing.

    Sentences end in a stop. Tags and phrases behind the user's own words need none.
    """
    text, source = without_end(rewrite).rstrip(), without_end(original).rstrip()
    end = text.rstrip(_CLOSERS)
    if text.endswith(source) or end.endswith(source.rstrip(_CLOSERS)):
        return False
    if end and end[-1] in SENTENCE_STOPS:
        return False
    if _DANGLING.search(text) or _is_left_open(text, source):
        return True
    is_phrases = is_tags or text.startswith(source.rstrip(SENTENCE_STOPS))
    return not is_phrases and bool(_INNER_STOP.search(without_quotes(text)))


def _is_left_open(text: str, source: str) -> bool:
    """Whether a bracket or quotation mark stays open that is closed in the source."""
    return any(
        text.count(opener) > text.count(closer) and source.count(opener) <= source.count(closer)
        for opener, closer in _OPENERS.items()
    )
