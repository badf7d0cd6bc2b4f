"""Finds the part of a reply that is the prompt: behind openings and labels, before other headings.

Models greet, say what they are about to do, write a heading, repeat the original, and put what else
they have to say under headings of its own. The same words may stand in a prompt: a line counts as a
label only where it is nothing else.
"""

import re
from collections.abc import Iterator

from llm_api.services.prompts.strategies.reply_comments import (
    NEGATIVE,
    QUOTED,
    before_negative,
    is_long,
    shows_nothing,
)
from llm_api.services.prompts.strategies.reply_marks import without_frame
from llm_api.services.prompts.strategies.reply_musings import (
    behind_arrow,
    behind_musings,
    muses,
    without_stage,
)

# What may stand in front of a label in its line: marks of Markdown, a number, emoji.
_FRONT = (
    r"^[ \t]*(?:[-*•>]\s+)?(?:[^\w\n\"“”'‘’「『《<{}()]{0,12})(?:\d{1,2}[.)、]\s*)?"
    r"(?:step \d{1,2}\s*[\-–:.]\s*)?[*_]{0,3}(?:<b>)?"
)
_BACK = r"[ \t]*(?:[*_\]】）)]|</b>){0,4}[ \t]*"
_KINDS = (
    r"(?:final|optimi[sz]ed|enhanced|improved|rewritten|revised|refined|polished|expanded|detailed"
    r"|upsampled|enriched|extended|elaborated|rephrased|reworked|reworded|cinematic|vivid|visual"
    r"|new|updated|upgraded|better|best|main|full|complete|positive|image|video|picture|photo"
    r"|text-to-image|generation|generator|english|chinese|your|my|the|an?|ai|flux|sdxl|midjourney"
    r"|stable diffusion)"
)
_REWRITTEN_HAN = r"(?:优化|優化|最佳化|改写|改寫|润色|潤飾|扩写|改进|完善)"
_LABELS = (
    rf"(?:so,? )?(?:{_KINDS}[ \-]+){{0,6}}(?:(?:re-?)?prompts?|rewrite|answer|output|response"
    r"|result)(?: (?:draft|idea|text))?(?: ?[#№]?\d(?:/\d)?(?!\d))?"
    r"(?:[ \t]+(?:for|in)[ \t]+[\w .\-]{1,30}?)?(?: (?:is|would be|reads))?"
    r"|(?:positive|optimi[sz]ed|enhanced|rewritten|improved|revised|refined|after|final|assistant"
    r"|expanded|upsampled|enriched|extended|elaborated|reworked|v\d{1,2}"
    rf"|ai)(?: version)?|{_KINDS} version|optimi[sz]ed_prompt"
    rf"|(?:(?:{_KINDS}|scene|shot|prompt)[ \-]+){{0,3}}description"
    rf"|(?:{_KINDS}[ \-]+){{1,3}}(?:captions?|text|wording|shot|scene)"
    r"|(?!(?:an?|the|two|three|one)\b)(?:(?!neg|orig|old|user)[A-Za-z\-]{1,15} ){1,3}"
    r"(?:prompt|caption|description|version|rewrite|rewording)(?=[*_]{0,3}:)"
    r"|(?:prompt )?suggestion|suggested prompt|try"
    r"|(?:so,? |and )?here(?:['’]s| is| are)(?! (?:why|what|how))\b[^\n:：]{0,100}"
    r"(?:prompt|version|rewrite|it is)[^\n:：]{0,60}"
    r"|[\u4e00-\u9fff]{0,10}(?:提示[词詞]|描述词)"
    rf"|[\u4e00-\u9fff]{{0,4}}{_REWRITTEN_HAN}(?:之?[后後]|[结結]果|版本?)"
    r"(?:的?(?:内容|文案|版本|描述|[Pp]rompt))?|[译譯]文(?:/\w{2})?|最终(?:版本?|答案|结果|描述)"
    rf"|(?:画面|场景|图像)?描述|{_REWRITTEN_HAN}|正向|答案?|输出|结果|画面|正文"
    r"|[^\n:：]{0,30}(?:プロンプト|프롬프트|промпт)"
)
_NEVER = (
    r"(?!(?:original|user|your (?:original|idea)|source|input|negative|neg\b|old|before|short)"
    r"|原|负|反|用户|输入)"
)
_ASIDE = r"(?:[ \t]*[(（][^()（）\n]{1,40}[)）])?"
_LABEL = re.compile(
    rf"{_FRONT}{_NEVER}(?:{_LABELS})[ \t]*(?:如下)?{_ASIDE}{_BACK}(?:[:：→=👉➡⬇👇]\ufe0f?"
    rf"|[—–][ \t])[ \t]*[*_]{{0,3}}(?:</b>)?"
    rf"|^[ \t]*[*_]{{0,3}}[【\[]{_NEVER}(?:{_LABELS})[】\]][*_]{{0,3}}[ \t]*[:：]?"
    # Alone in its line it needs no colon.
    rf"|^[ \t]*(?P<mark>[^\w\n\"“”'‘’「『《<{{}}()]{{0,12}})(?:\d{{1,2}}[.)]\s*)?{_NEVER}"
    rf"(?:{_LABELS}){_ASIDE}{_BACK}[^\w\n\"“'‘「『《<{{(]{{0,8}}$",
    re.IGNORECASE | re.MULTILINE,
)
# Parts of a prompt that has them line by line.
_PARTS = re.compile(
    r"\W*(?:(?:subject|style|light\w*|compos\w*|camera|background|foreground|mood|colou?rs?|palette"
    r"|scene|shot|setting|action|details?|environment|quality|atmosphere|medium|texture|framing"
    r"|perspective|lens|angle|motion|movement|audio|text|pose|clothing|time|place|location|main)\b"
    r"|主体|风格|光|构图|镜头|背景|前景|氛围|色|场景|动作|细节|环境|画质|材质|视角|[\[【]\d)",
    re.IGNORECASE,
)
_HEADING = re.compile(
    r"^[ \t]*(?:\d{1,2}[.)]\s*|[-*•]\s+)?(?:#{1,6}[ \t]+[^\n]{1,60}$"
    r"|\*\*[^*\n]{1,60}\*\*[ \t]*(?:[:：]|$)"
    r"|\*\*[^*\n]{1,60}[:：]\*\*|【[^】\n]{1,30}】)",
    re.MULTILINE,
)
_OPENER = re.compile(
    r"\s*[^\w\n\"“”'‘’「『《<{}()\[]{0,6}(?:sure(?: thing)?|certainly|of course|okay|ok|alright"
    r"|absolutely"
    r"|great(?: idea| choice| prompt)?|got it|understood|no problem|happy to help|done|gladly"
    r"|here you (?:go|are)|thanks?(?: you)?(?: for [\w ]{1,40})?|as requested"
    r"|好的|当然(?:可以)?|没问题|收到|明白了?|可以的|はい|承知しました|かしこまりました|네"
    r"|물론입니다"
    r"|¡?claro(?: que sí)?|por supuesto|bien sûr|voilà|natürlich|gerne|certo|certamente|конечно"
    r"|tabii"
    r"|tentu(?: saja)?|oczywiście|natuurlijk|chắc chắn rồi|بالتأكيد)"
    r"\s*(?:[,.!:，。！：、،]|[—–](?=\s)|(?=[^\w\s]{1,3}\n))+\s*(?:[^\w\s\"“”'‘’「『《<{}()\[]{1,4}\s+)?",
    re.IGNORECASE,
)
# "Here is the optimized prompt:", in one line with it.
_INTRODUCTION = re.compile(
    r"\s*(?:(?:here(?:['’]s| is| are| it is| you (?:go|are)))(?! (?:why|how))\b[^\n:：]{0,120}[:：]"
    r"|(?:below|this) is (?:the|your|an?)\b[^\n:：]{0,80}(?:prompt|version)[^\n:：]{0,40}[:：]"
    # A sentence that begins with "I would" or "I will".
    r"|i(?:['’](?:ve|ll|d)| have| will| would)\b[^\n:：.!]{0,100}[:：.!](?=\s)|q: [^\n]{0,200}\na:"
    # In other languages, the prompt is the last word in front of the colon, or the last but one.
    r"|(?!an? )(?:[^\n:：,.\"“]{1,40}\sprompt|prompt(?=\s\w+é"
    r"|\s\w+[dtz]o\b))(?:\s\w{3,12}(?:é|ado|ato|iert))?\s?[:：]"
    r"|(?:马上|这就|现在)?(?:为|给|帮)[您你][^\n:：。]{0,30}[:：。！](?=\S)|(?:以下是|以下为|以下為|下面是|这是|這是)[^\n:：]{0,40}[:：]|(?:根据"
    r"|按照)[您你][^\n:：]{0,40}[:：])\s*",
    re.IGNORECASE,
)
# A first line that speaks of the prompt and is none.
_ABOUT = re.compile(
    r"\b(?:your|my|the|this|following|optimi[sz]ed|enhanced|improved|rewritten|refined|detailed"
    r"|better|model-ready) (?:\w+ ){0,2}prompts?\b|\bprompt\b[^\n]{0,60}[:：]\s*\Z"
    r"|\A\W*(?:here(?:['’]s| is| are| you)|below (?:is|are)|let['’]s"
    r"|(?:keeping|adding|making|focusing on) (?:it|this|your)\b|i(?:['’](?:ve|ll|d)| have"
    r"| will"
    r"| would| suggest)\b|try this|you could|as requested|to make this|the following)"
    r"|\b(?:version|take|description|rewrite|spin|twist) (?:of|on) (?:your|the|this) (?:\w+ )?"
    r"(?:idea|concept|request|scene|original|description|input)\b"
    r"|提示词|(?:优化|優化|改写|改寫|润色|扩写)|以下|画面感的|[您你]的描述|プロンプト|프롬프트"
    r"|промпт",
    re.IGNORECASE,
)
# Behind these a prompt has begun, whatever stands at the end of the line.
_BEGINS_AS_PROMPT = re.compile(
    r"\W*(?:an?|the|two|three|four|five|one|\d+)\s(?!following)", re.IGNORECASE
)
_IS_ORIGINAL = re.compile(
    r"\W*(?:(?:the |your )?original|before|user|input|query|原)[^\n:：]{0,20}[:：]", re.IGNORECASE
)
_FIRST_NUMBER = re.compile(r"\A\s*\(?1[.)]\s+")
_SECOND_NUMBER = re.compile(r"(?<!\d)2[.)]\s")
_FIRST_PERSON = re.compile(
    r"\bI(?:['’](?:ve|ll|d|m))?\b|\b(?:[Ll]et me|for you|your (?:idea|input|request|description))\b"
    r"|我|[您你]"
)
_TITLE = re.compile(
    r"\s*(?:#{1,6}\s+([^\n]{1,80})|\*\*([^*\n]{1,60})\*\*|Title:\s*([^\n]{1,80}))\n\s*\n"
)
_MAX_LINE, _LABEL_WORDS = 260, 6
# Without one of them no label ends, nor does a sentence that speaks to the reader.
_LABEL_ENDS = tuple(":：→=—–】]👉➡⬇👇您你")
_OPENINGS = 4  # "Sure!", and what follows it


def section_of(text: str) -> str:
    """Return the part of a reply that is the prompt, with what is said behind it.

    It is empty where the reply only thinks aloud.
    """
    text = _without_lone_number(behind_arrow(without_stage(without_frame(text))))
    is_musing = muses(text)
    if "\n" in text or is_musing:
        labeled = _labeled(text, takes_last=is_musing)
        if labeled is not None:
            return labeled
        if is_musing:
            return behind_musings(text)
    return before_negative(without_opening(text))


def _without_lone_number(text: str) -> str:
    """Return a text without the number in front of it, if no other follows."""
    number = _FIRST_NUMBER.match(text)
    is_lone = number is not None and not _SECOND_NUMBER.search(text)
    return text[number.end() :] if number and is_lone else text


def is_label(line: str) -> bool:
    """Whether a line is a label of a prompt and nothing else."""
    return _LABEL.fullmatch(line.strip()) is not None


def ends_with_label(text: str) -> bool | None:
    """Return whether the last line of a text announces a prompt; None where there is no label."""
    line = text.rstrip().rpartition("\n")[2]
    if NEGATIVE.match(line) or _IS_ORIGINAL.match(line):
        return False
    return True if is_label(line) else None


def without_opening(text: str) -> str:
    """Return a text without what is said before a prompt."""
    for _ in range(_OPENINGS):
        shorter = _once_shorter(text)
        if shorter == text:
            break
        text = shorter
    return text


def _labeled(text: str, *, takes_last: bool) -> str | None:
    """Return what stands under a label of the prompt; None where there is no label."""
    labels = [found for found in _LABEL.finditer(text) if not _is_in_sentence(text, found)]
    if not labels:
        return None
    before = without_opening(text[: labels[0].start()])
    if not takes_last and _is_prompt(before):
        return before_negative(before)
    for label in reversed(labels) if takes_last else labels:
        said = _until_heading(text[label.end() :])
        if said.strip(' \n*_#"“”:：'):
            return _FIRST_NUMBER.sub("", said)
    return None


def _is_in_sentence(text: str, found: re.Match[str]) -> bool:
    """Whether a label that has no colon is the wrapped line of a sentence."""
    if found[0].rstrip(" *_")[-1:] in {":", "：", "→", "="} or found["mark"] is None:
        return False
    before = text[: found.start()].rstrip(" ")
    return not found["mark"].strip() and bool(before) and not before.endswith((":\n", "\n\n", "\n"))


def _is_prompt(text: str) -> bool:
    """Whether a text in front of a label is the prompt already."""
    bare = text.strip()
    has_notes = _ABOUT.search(bare) or _IS_ORIGINAL.match(bare) or muses(bare)
    return is_long(bare) and not has_notes and not bare.endswith((":", "："))


def _until_heading(text: str) -> str:
    """Return what stands before the next heading that is none of the prompt's parts."""
    text = before_negative(text)
    for found in _ends(text):
        if text[: found.start()].strip(" \n*_-•#:：") and not _PARTS.match(found[0]):
            return text[: found.start()]
    return text


def _ends(text: str) -> Iterator[re.Match[str]]:
    starts = [*_HEADING.finditer(text), *_LABEL.finditer(text)]
    yield from sorted(starts, key=lambda found: found.start())


def _once_shorter(text: str) -> str:
    if opener := _OPENER.match(text):
        return _or_all(text, opener.end())
    has_lines, head = "\n" in text, text[:_MAX_LINE]
    if has_lines or head.startswith(("I ", "I'", "I’")) or any(map(head.__contains__, _LABEL_ENDS)):
        if label := _LABEL.match(text.lstrip()):
            return _or_all(text.lstrip(), label.end())
        if introduction := _INTRODUCTION.match(text):
            return _or_all(text, introduction.end())
    return _behind_first_line(text) if has_lines else text


def _behind_first_line(text: str) -> str:
    """Return a text without its first line if that is a title, or speaks of the prompt."""
    if (title := _TITLE.match(text)) and is_long(text[title.end() :]):
        return text[title.end() :]
    line, _, rest = text.lstrip().partition("\n")
    return rest if rest and _is_opening(line, rest) else text


def _or_all(text: str, start: int) -> str:
    """Return what stands behind an opening, or the whole text where nothing does."""
    return text[start:] if text[start:].strip() else text


def _is_opening(line: str, rest: str) -> bool:
    """Whether the first of several lines speaks of the prompt that follows."""
    if len(line) > _MAX_LINE or not is_long(rest):
        return False
    if _PARTS.match(rest):
        return False
    if not any(map(str.isalnum, line)) or _IS_ORIGINAL.match(line):
        return True
    is_prompt = _BEGINS_AS_PROMPT.match(line) is not None
    if rest.startswith("\n") and not is_prompt:
        bare = QUOTED.sub("", line)
        if shows_nothing(line) and not _PARTS.match(line):
            return True
        if _FIRST_PERSON.search(bare) or bare.rstrip(" *_").endswith(("?", "！", "？", "!")):
            return True
    if (
        line.rstrip(" *_").endswith((":", "："))
        and rest.startswith("\n")
        and not _PARTS.match(line)
    ):
        return not is_prompt or _ABOUT.search(line) is not None
    return not is_prompt and (_ABOUT.search(line) is not None or _announces(line, rest))


def _announces(line: str, rest: str) -> bool:
    """Whether a line is a label of words that are not known: short, and in front of one line."""
    is_label = line.rstrip(" *_").endswith((":", "：")) and len(line.split()) <= _LABEL_WORDS
    return is_label and "\n" not in rest.strip() and not _PARTS.match(line)
