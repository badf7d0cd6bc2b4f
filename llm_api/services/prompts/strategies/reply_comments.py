"""Removes what a model says behind a prompt: about it, or to its reader.

Reasons, notes, offers and questions, in English and Chinese: a rewrite ends before them.
"""

import re

from llm_api.services.prompts.constraints.reading import read
from llm_api.services.prompts.text import has_sentences
from llm_api.services.prompts.vocabulary.words import THINGS

# A line that speaks of the prompt, or to its reader: the prompt ended before it.
_EPILOGUE = re.compile(
    r"\n[\s*_#>\-–—=※•✨(（]{0,20}(?:"
    # A heading: "Why this works:", "### Key changes".
    r"(?:(?:notes?|nb|p\.?s\.?|why|how (?:it|this|i)|(?:the )?reason(?:s|ing)?|rationale"
    r"|explanations?|(?:key )?(?:changes|improvements|enhancements|edits|additions|adjustments)"
    r"|key (?:elements|features|points|differences|takeaways)|what (?:i|was|has|changed|makes)"
    r"|tips?|suggestions?|breakdown|highlights|comment(?:s|ary)?|justification|disclaimer"
    r"|alternatives?|variations?|follow-?ups?|negative prompt|(?:word|character|token) count"
    r"|(?:design|style|technical|usage|additional|other|recommended|suggested|optional|further)"
    r" (?:notes?|suggestions?|tips?|settings|options|ideas|parameters)|added|removed|original"
    r"|translation|translated|here(?:['’]s| is| are) (?:why|what|how))\b[^\n:：]{0,60}[:：\n?*]"
    r"|(?:rationale|notes?|reason(?:s|ing)?|explanation) [—–-]+ "
    r"|[【\[]?(?:[\u4e00-\u9fff]{0,6}(?:说明|备注|改动|改进|变化|变更|理由|原因|亮点|思路|解析"
    r"|解释|解读|建议|要点"
    r"|注释|贴士|字数)|注|附|为什么[^\n:：]{0,20}|负面提示词|反向提示词|提示(?!词))"
    r"[^\n:：]{0,12}[:：\n?？*】\]])"
    # A sentence: "This version adds …", "Would you like me to …?"
    r"|(?:compared (?:with|to) (?:the |your )?original|the result is an?"
    r"|overall,? (?:the|this) (?:scene|image|picture|composition|result) (?:feels|conveys|evokes"
    r"|is)"
    r"|that['’]s (?:it|all)|there you (?:have it|go)"
    r"|(?:enhanced|generated|written|created|optimi[sz]ed|rewritten|powered) (?:by|with|using)"
    r"|(?:try it|rated|works (?:best|well|with)|ready to|consider|experiment)"
    r"|(?:if (?:the|it|this)\b[^\n]{0,80}\b(?:try|use|add|lower|raise|increase|reduce|adjust))"
    r"|let me know|feel free|i hope|hope (?:this|it|that)|enjoy|if you|you (?:can|could|may)"
    r"|(?:this|the (?:new|revised|enhanced|rewritten|optimi[sz]ed|above|reason)|these)"
    r" (?:version|prompt|rewrite|revision|description|changes|additions|details|improvements"
    r"|for these)"
    r"|(?:the )?added (?:\w+ ){1,3}(?:makes?|gives?|creates?|helps?|brings?|adds?)"
    r"|(?:it|this|that) (?:now |should |will |would )+(?:includes?|has|reads?|gives?|produces?"
    r"|makes?|helps?|results?)"
    r"|i(?:['’]ve| have)? (?:also )?(?:added|kept|made|chose|used|included|focused|expanded"
    r"|enriched|preserved|replaced|specified|tried|retained|emphasi[sz]ed|rewrote|incorporated)"
    r"|(?:would|do|shall|should|could|can|want|need) (?:you|i|me)|by (?:adding|specifying))\b"
    r"|可(?:根据|按|自行|直接)|仅?供参考|希望|如果?(?:你|您|需|有|想)|需要我|是否|要不要|[你您](?:觉得|可以|还|希望|需要)|请告诉|以上"
    r"|我(?:已|添加|补充|加入|增加|保留|优化|调整|把|将|在)|(?:补充|新增|增加|添加|加入|强化"
    r"|突出)了"
    r"|通过(?:加入|增加|添加|补充|强化)|(?:还|要)(?:需要|我)|欢迎"
    r"|祝[你您\u4e00-\u9fff]{0,6}[愉快顺]|其中[，,]"
    r"|[\u4e00-\u9fff]{1,6}[:：]\s*(?:增加|补充|新增|添加|加入|强化)了"
    r"|(?:这|此|该|本)(?:样|个|条|段|份|一)?(?:提示词|版本|版|描述|改写|写法|样)"
    r")",
    re.IGNORECASE,
)
# Signs of a comment anywhere in a last line of its own: a prompt asks nothing and addresses nobody.
_SPEAKS = re.compile(
    r"[?？]|\b(?:I|I['’](?:ve|m|d|ll)|[Mm]y|[Mm]e|[Yy]ou(?:['’]\w+)?|[Yy]ours?|[Ll]et['’]s)\b"
    r"|\b(?:[Pp]rompts?|rewrit(?:e|ten)|rewording|tweak\w*|original (?:idea|meaning|text|intent"
    r"|wording)|this version|word count|[Tt]o make it (?:more|less)|requirements?|improvements?"
    r"|[Ff]eedback|keeps (?:the|your))\b"
    r"|[你您我]|提示词|改写|原文|原意|版本|修改|调整|字数",
)
# What is no part of any prompt, in a line of its own: another turn, an end, counts, a greeting.
_TRAILER = re.compile(
    r"\n[ \t]*(?:#{2,3} ?(?:instruction|human|user|input|response)\b"
    r"|(?:user|human|assistant|用户|助手)[ \t]*[:：]"
    r"|[-\[*#=< ]*end(?: of (?:the )?(?:prompt|text|output|answer))?[\]\-*#=>.! ]*(?:\n|\Z)"
    r"|#{2,}[ \t]*(?:\n|\Z)|(?:#\w+[ \t]*){2,}(?:\n|\Z)|~{3,}|`{3,}"
    r"|[(\[（【~≈*—–\- ]*(?:[共总]计约?|约|共|大约|about |approx\.? "
    r"|word count: ?)?\d{1,4}[ \t]*(?:words?\b"
    r"|char(?:acter)?s?\b|tokens?\b|字)"
    r"[^\n]{0,40}(?:\n|\Z)"
    r"|//|p\.? ?s\.?[ :]|alternatively\b"
    r"|[\s*_#>【\[(（]*(?:(?:best|kind|warm) (?:regards|wishes)|sincerely|word count|cheers"
    r"|happy (?:\w+ing)|done\b"
    r"|good luck"
    r"|have fun|tags|sources?|length|characters|pro[ -]?tips?|technical details"
    r"|(?:recommended|suggested) (?:settings|parameters|values)"
    r"|(?:short(?:er)?|long(?:er)?|alternat(?:iv)?e|concise|simple|minimal) (?:version|prompt"
    r"|option)s?"
    r"|explicaci[óo]n|notas?|cambios|explications?|remarques?|erklärung|hinweise?|änderungen"
    r"|spiegazione|explicação|açıklama|penjelasan|uitleg|wyjaśnienie|пояснени[ея]|объяснение"
    r"|примечани[ея]|解説|補足|ポイント|変更点|説明|설명|참고|변경)[^\n:：]{0,40}[:：!.,，。\n]"
    # Lines that begin with emoji or signs, such as check marks, or that point upwards.
    r"|[\^↑⬆] ?[A-Za-z]|[\u2600-\u27bf\U0001f300-\U0001faff]"
    r"|(?:please|remember|keep in mind|note that|as you can see|here(?:['’]s| is| are) (?:a|the"
    r"|some)"
    r" (?:breakdown|list|summary|changes|few|variations?))\b|[（(]?以上"
    r"|(?:the (?:prompt|rewrite|text|description) (?:is|above|has|was|now|follows|preserves|keeps)"
    r"|> ?(?:the prompt|提示))"
    r")",
    re.IGNORECASE,
)
# A paragraph with a label of its own, behind a whole prompt.
_LABELED = re.compile(
    r"\n[ \t]*\n[ \t]*[\[*_#>•\- ]{0,6}(?!(?i:(?:overall |main |visual )?"
    r"(?:subject|style|light|compos|camera|background"
    r"|foreground|mood"
    r"|colou?r|palette|scene|shot|setting|action|detail|environment|atmosphere|medium|texture"
    r"|framing"
    r"|perspective|lens|angle|motion|audio|sound|sfx|music|dialog|voice|speech|narrat|text|sign"
    r"|caption|headline|frame|clip|cut|beat|first|then|next|finally|left|right|top|bottom"
    r"|center))\w*)"
    r"[A-Z][\w'’]{1,20}(?: [\w'’&/]{1,20}){0,4}[*_]{0,3}[ \t]?[:：]"
)
QUOTED = re.compile(r"\"[^\"\n]{0,400}\"|“[^”\n]{0,400}”|「[^」\n]{0,400}」|《[^》\n]{0,99}》")
_RULE = re.compile(r"(?:\A|\n)[ \t]*(?:-{2,}|\*{3,}|_{3,}|={3,}|[━─—]{3,})[ \t]*(?=\n|\Z)")
# A note at the end of the line itself.
ASIDE = re.compile(
    r"\s*[(\[（【]\s*(?:notes?|explanations?|reasons?|comments?|changes?|added|注|说明|备注|理由"
    r"|改动|解释)"
    r"\s*[:：][^)\]）】\n]*[)\]）】]\s*\Z"
    r"|\s*[(\[（【]\s*(?:约|共|about |approx\.? |~)?\d{1,4}\s*(?:words?|char(?:acter)?s?|tokens?"
    r"|字)"
    r"[^)\]）】\n]{0,20}[)\]）】]\s*\Z"
    r"|\s*[—–-]+\s*\d{1,4}\s*(?:words|characters|字)\W?\Z"
    r"|\s+[—–-]\s*I(?:['’]ve| have)? (?:added|kept|made|included|used|chose|changed)\b[^\n]*\Z",
    re.IGNORECASE,
)
_OPENING = re.compile(
    r"(?:sure|certainly|of course|okay|ok|absolutely|great|好的"
    r"|当然)\W?(?:[,.!:，。！：][^\n]{0,80})?"
    r"|(?:here(?:['’]s| is| are)|(?:以下|下面)[是为])[^\n]{0,120}[:：.!。！]",
    re.IGNORECASE,
)
# The line of the prompt itself, behind an opening that is none of the above.
_HEADED = re.compile(
    r"[\s*_#>]*(?:(?:the |your |my )?(?:\w+ ){0,2}(?:prompt|rewrite|version)"
    r"|[\u4e00-\u9fff]{0,8}提示词)[*_\s]{0,3}[:：]",
    re.IGNORECASE,
)
NEGATIVE = re.compile(
    r"(?:^|\n)[^\w\n\"“'‘「]{0,12}(?:\d{1,2}[.)]\s*)?(?:negatives?|neg|avoid|exclude|负[面向]"
    r"|反向|ネガティブ)"
    r"(?:[ _\-]?(?:prompts?|提示词|プロンプト)"
    r"|词)?(?:[ \t]*[(（][^()（）\n]{1,40}[)）])?[ \t]*[*_\]】）)]{0,4}[ \t]*(?:[:：]|\n|$)",
    re.IGNORECASE,
)
_MIN_WORDS, _MIN_HAN = 12, 20
# A paragraph of its own that shows nothing is said to somebody if it is short, and at the end of a
# reply if it has words of speech as well: "Rated 5/5 for clarity.", but not "Calm. Dreamlike."
_MAX_SAID, _MAX_SAID_HAN = 10, 20
_SHOWN = (*THINGS, "color", "facet", "shot", "angle", "move", "look", "drawn", "number")
_OF_SPEECH = re.compile(
    r"\b(?:it|this|that|you|for|with|any|all|is|are|was|can|will|be|as|just|so|now|here|there)\b"
    r"|['’]s\b|[可请供仅已]",
    re.IGNORECASE,
)
_HAN = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_LABEL = re.compile(r"[^\n]{0,60}[:：][\s*_]*\Z")


def without_comments(text: str) -> str:
    """Return a text without the lines behind a prompt that speak of it, or to its reader."""
    text = _before_rule(text)
    for pattern in (_EPILOGUE, _TRAILER, _LABELED):
        for found in pattern.finditer(text):
            before = text[: found.start()]
            if _has_prompt(before) and (pattern is not _LABELED or has_sentences(before)):
                text = before
                break
    head, _, last = text.rstrip().rpartition("\n")
    while _has_prompt(head) and (_is_comment(last) or _is_said_behind(last, head)):
        text = head
        head, _, last = head.rstrip().rpartition("\n")
    return text


def _before_rule(text: str) -> str:
    """Return the first of the parts between rules that has a prompt."""
    parts = _RULE.split(text)
    return next((part for part in parts if _has_prompt(part)), text) if len(parts) > 1 else text


def speaks(text: str) -> bool:
    """Whether a text speaks of a prompt, or to its reader."""
    return _SPEAKS.search(QUOTED.sub("", text)) is not None


def _is_comment(line: str) -> bool:
    return _HEADED.match(line) is None and speaks(line)


def shows_nothing(line: str) -> bool:
    """Whether a paragraph is short, and names nothing that could be drawn, heard or filmed."""
    if len(line.split()) > _MAX_SAID or len(_HAN.findall(line)) > _MAX_SAID_HAN:
        return False
    return QUOTED.search(line) is None and not read(line).starts(_SHOWN)


def _is_said_behind(line: str, head: str) -> bool:
    """Whether the last line is a paragraph that speaks, and shows nothing."""
    is_paragraph = head.endswith("\n") and line.rstrip(" *_")[-1:] in tuple(".!?…)。！？）~～")
    return is_paragraph and _OF_SPEECH.search(line) is not None and shows_nothing(line)


def _has_prompt(text: str) -> bool:
    """Whether a text is more than labels and openings: some line of it can be a prompt."""
    lines = (line.strip("*_#>` \t") for line in text.splitlines())
    return any(
        line and not _LABEL.fullmatch(line) and not _OPENING.fullmatch(line) for line in lines
    )


def is_long(text: str) -> bool:
    """Whether a text is long enough for a prompt that stands beside other texts."""
    return len(text.split()) >= _MIN_WORDS or len(_HAN.findall(text)) >= _MIN_HAN


def before_negative(text: str) -> str:
    """Return what stands before the negative prompt that follows a prompt."""
    found = NEGATIVE.search(text) if "\n" in text else None
    return text[: found.start()] if found and is_long(text[: found.start()]) else text
