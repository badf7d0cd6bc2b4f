"""Removes from a model's reply what belongs to its chat format: thoughts, channels, end marks.

Servers hand such marks on when they do not know a model's template. The forms are those of the
model families' own templates: `<think>` (Qwen, DeepSeek), `[THINK]` (Magistral), `◁think▷` (Kimi),
`<seed:think>` (Seed-OSS), `<|START_THINKING|>` (Command), harmony's channels (gpt-oss), the same
without their marks, and the thoughts that a family announces in words (Granite).
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from llm_api.services.prompts.text import lowered

# A special token: `<|im_end|>`, `<|return|>`, DeepSeek's with full-width bars, Gemma's `<turn|>`,
# MiniMax's `[e~[`, bytes, and others' own.
_MARK = (
    r"<[|｜][^<>|｜\n]{1,60}[|｜]>|<\|[a-z_]{2,30}>|<[a-z_]{2,30}\|>|\[e~\[|\]~b\]|<0x[0-9A-F]{2}>"
    r"|</?s>|<(?:seed:)?(?:(?:eos|bos|pad|unk)(?:_token)?|eod|EOT|END|_end|end_of_turn"
    r"|unused\d{1,3})>"
    r"|<start_of_turn>(?:model|user)?|\[/?INST\]|\[(?:EOS|gMASK|BOS|DONE|END)\]|<sop>"
)
_END = re.compile(_MARK)
_THOUGHTS = (
    r"(?:(?:\w{1,20}[:_]|ant)?(?:th[in]{1,3}k(?:ing)?|thoughts?|reason(?:ing)?|reflections?|analysis"
    r"|scratchpad"
    r"|monologue|plan(?:ning)?|drafts?|cot|chain_of_thoughts?)(?:_\w{1,20})?|思考|推理|思考过程)"
)
# What the answer follows; the last of them counts, for thoughts may speak of them.
_ANSWER = re.compile(
    rf"<//?{_THOUGHTS}>|<channel\|>|<[|｜]/(?:think|thought|reason)\w{{0,9}}[|｜]>|\[/THINK\]"
    rf"|◁/think▷|<unused95>"
    r"|<[|｜](?:END_THINKING|START_RESPONSE|end_of_thought|begin_of_solution|/think)[|｜]>"
    r"|<\|(?:\w{1,12}_)?(?:think\w{0,3}|thought|reason\w{0,3})_(?:end|off|over|done)\|>"
    r"|<\|(?:\w{1,12}_)?final\|>"
    r"|\[End (?:of )?Th(?:inking|oughts?)\](?:\s*thought\n[^\n]*\n(?=\S))?"
    r"|(?:\A|>)[^<\n]{0,40}\bfinal\b[^<\n]{0,40}<\|message\|>"
    r"|<\|channel\|>\s*final\b(?:[^<\n]|<\|constrain\|>){0,60}<\|message\|>"
    r"|(?<![A-Za-z])Here is my response:|(?-i:assistantfinal|assistant\nfinal\n)",
    re.IGNORECASE,
)
# Without one of these, in any case, there is no such mark.
_ANSWER_SIGNS = (
    "<",
    "[/think]",
    "[end th",
    "[end of th",
    "◁/think▷",
    "response:",
    "assistantfinal",
    "assistant\nfinal",
)
# Thoughts whose end never came: nothing of the reply is an answer.
_OPEN_THOUGHTS = re.compile(
    rf"\s*(?:(?:{_MARK})\s*)*(?:assistant\s*)?"
    r"(?:\[THINK\]|\[Thinking\][ \t]*\n|◁think▷|<unused94>\s*thought\b"
    r"|<\|(?:START_THINKING|begin_of_thought|(?:\w{1,12}_)?(?:think|thought|reason)\w{0,12})\|>"
    r"|<\|im_start\|>\s*(?:think|thought|analysis)\w{0,3}\s*\n"
    r"|<\|channel\|?>\s*(?:thought|analysis|commentary)\b|(?-i:analysis(?=[A-Z\"']))"
    r"|Here is my thought process:)",
    re.IGNORECASE,
)
_LEADING = re.compile(
    rf"\s*(?:(?:{_MARK})\s*(?:(?:assistant|model|ai)\b:?(?=\s|<|\Z)\s*)?)+", re.IGNORECASE
)
_BRACKETED_THOUGHTS = re.compile(
    rf"[\[(]{{1,2}}({_THOUGHTS})[\])].*?[\[(]/\1[\])]{{1,2}}", re.DOTALL | re.IGNORECASE
)
_CLOSED_THOUGHTS = re.compile(
    rf"<({_THOUGHTS}|details)(?:\s[^<>\n]{{0,200}})?>.*?(?:</\1>|\Z)", re.DOTALL | re.IGNORECASE
)
# A fence of thoughts, and a quotation of Markdown that begins with their name.
_FENCED_THOUGHTS = re.compile(
    rf"^[ \t]*(`{{3,}}|~{{3,}})[ \t]*{_THOUGHTS}[ \t]*\n.*?(?:\n[ \t]*\1[`~]*|\Z)",
    re.DOTALL | re.IGNORECASE | re.MULTILINE,
)
_QUOTED_THOUGHTS = re.compile(
    rf"\s*>[ \t*_]*{_THOUGHTS}[*_ \t]*[:：\n][^\n]*(?:\n>[^\n]*)*", re.IGNORECASE
)
# What is left of a family's channel: the word alone, and how long it has taken.
_BARE_THOUGHT = re.compile(r"thought(?: ?(?:\[\]|\(\))|\n(?:[^\n]+\n)+(?=\n))\s*")
_TIMED_THOUGHT = re.compile(
    r"\W*(?:(?:thought|reasoned|thinking) (?:for )?(?:about )?(?:\d+|a few|several)|思考了 ?\d+)"
    r"[^\n]{0,20}\n",
    re.IGNORECASE,
)
_SWITCH = re.compile(r"\s*/(?:no_?)?think\b[ \t]*\n?", re.IGNORECASE)
# Thoughts that are told in words, and the heading of the answer behind them.
_TOLD_THOUGHTS = re.compile(
    r"[\s*_#>【\[]*(?:(?:my |the )?(?:thinking|thoughts?|thought process|reasoning|analysis)\b"
    r"[^\n:：]{0,30}[:：]|let me think|(?:思考|推理|分析)(?:过程)?\s*[:：】\]])",
    re.IGNORECASE,
)
_HEADING = re.compile(
    r"\n[\s*_#>【\[]*(?:(?:my |the )?(?:final|optimi[sz]ed|rewritten|improved|enhanced"
    r"|revised)\s+)?(?:(?:image|video) )?(?:prompt|answer|version|output|response|rewrite|result)"
    r"[*_]{0,3}\s*[:：]"
    r"|\nfinal:|\n#{1,6} (?:final )?(?:answer|prompt|output)[ \t]*(?=\n)"
    r"|\n[\s*_#>【\[]*(?:最终|优化后|改写后)?的?(?:提示词|答案|回答|结果|输出)[*_]{0,3}\s*[:：】\]][:：]?",
    re.IGNORECASE,
)
# What Ollama's command line puts around thoughts.
_SHOWN_THOUGHTS = re.compile(
    r"\s*Thinking(?:\.\.\.|…)[ \t]*\n(?:.*?\n(?:\.\.\.|…)?[ \t]*done(?: thinking)?\.[ \t]*(?=\n"
    r"|\Z)|.*)",
    re.DOTALL,
)
_OTHER_TURN = re.compile(r"\s*(?:<s>\s*)?\[INST\].*?\[/INST\]", re.DOTALL)
# A mark in quotation marks is spoken of: it may stand on a sign, or in thoughts about the format.
_SPOKEN_OF = re.compile(
    r"(?<![\w\"'“”])(\\?[\"'“‘「『《])(?=[^\s])([^\"'“”‘’「」『』《》\n]{1,120})(?<=[^\s\\])"
    r"(\\?[\"'”’」』》])(?=[\s.,;:!?)\]，。、；：！？]|\Z)"
)
_QUOTABLE = ("<", "[/", "[E", "[D", "[T", "[I", "◁", "esponse:", "assistantfinal")
# Stands for such a quotation while marks are removed; nothing that people write has these signs.
# The judge uses two others in the same way.
_OPEN, _SHUT = "\ue002", "\ue003"
_STAND_IN = re.compile(rf"{_OPEN}(\d+){_SHUT}")
# A line that frames a text: "--- BEGIN PROMPT ---", "<<<", "===".
_FRAME = re.compile(
    r"[ \t]*"
    r"(?:[^\w\s\"“”'‘’「『《{}()。！？.!?]{2,}[ \t]*"
    r"(?:[A-Za-z]+[ \t]+){0,3}[A-Za-z]*[ \t]*[^\w\s\"“”]{2,}"
    r"|[^\w\s\"“”'‘’「『《{}]{3,}|\[[^\]\n]{0,30}(?:start|begin|end)[^\]\n]{0,30}\])[ \t]*",
    re.IGNORECASE,
)
_MARKED_AS = re.compile(
    r"\A\s*[(\[（](?:optimi[sz]ed|enhanced|rewritten|improved|revised|优化后?|改写后?)[)\]）]\s*",
    re.IGNORECASE,
)
_BOXED = re.compile(r"\\boxed\{(.*)\}\W{0,3}\Z", re.DOTALL)
_ROLE = re.compile(r"\s*(?:assistant|model|final)\s*\n", re.IGNORECASE)


def without_marks(reply: str) -> str:
    """Return what a model answered, without its thoughts and its format's marks.

    It is empty where the reply is nothing but thoughts. A mark in quotation marks is none.
    """
    aside = put_aside(reply)
    return aside.restored(_without_marks(aside.text))


class Aside(NamedTuple):
    """A text with stand-ins for its quotations that have marks, and these."""

    text: str
    quotations: Sequence[str]

    def restored(self, text: str) -> str:
        """Return a part of the text with the quotations again."""
        return _STAND_IN.sub(lambda found: self.quotations[int(found[1])], text)


def put_aside(text: str) -> Aside:
    """Put aside what is quoted of the marks of a format: on a sign it is a part of the picture."""
    quotations: list[str] = []

    def replaced(quotation: re.Match[str]) -> str:
        if not any(map(quotation[0].__contains__, _QUOTABLE)):
            return quotation[0]
        quotations.append(quotation[0])
        return f"{_OPEN}{len(quotations) - 1}{_SHUT}"

    if not any(map(text.__contains__, _QUOTABLE)):
        return Aside(text, ())
    return Aside(_SPOKEN_OF.sub(replaced, text.replace(_OPEN, "").replace(_SHUT, "")), quotations)


def _without_marks(reply: str) -> str:
    text = _CLOSED_THOUGHTS.sub("", reply) if "<" in reply else reply
    text = _BRACKETED_THOUGHTS.sub("", text) if "[/" in text or "(/" in text else text
    text = _laid_out_thoughts_removed(text)
    has_answer = any(map(lowered(text).__contains__, _ANSWER_SIGNS))
    ends = [found.end() for found in _ANSWER.finditer(text)] if has_answer else []
    if ends:
        text = text[ends[-1] :]
    elif _OPEN_THOUGHTS.match(text):
        return ""
    text = _OTHER_TURN.sub("", text, count=1) if "[/INST]" in text else text
    text = _SHOWN_THOUGHTS.sub("", text, count=1) if _SHOWN_THOUGHTS.match(text) else text
    text = _LEADING.sub("", text, count=1) if _LEADING.match(text) else text
    if _TOLD_THOUGHTS.match(text) and (headings := list(_HEADING.finditer(text))):
        text = text[headings[-1].end() :].lstrip("*_ ")
    text = _ROLE.sub("", text, count=1) if _ROLE.match(text) else text
    boxed = _BOXED.search(text)
    text = boxed[1] if boxed else text
    end = _END.search(text)  # what follows is another turn
    return (text[: end.start()] if end else text).strip()


def _laid_out_thoughts_removed(text: str) -> str:
    """Remove thoughts that are told apart by their layout: fences, quotations, a first line."""
    if "```" in text or "~~~" in text:
        text = _FENCED_THOUGHTS.sub("", text)
    for pattern in (_QUOTED_THOUGHTS, _TIMED_THOUGHT, _SWITCH, _BARE_THOUGHT):
        if found := pattern.match(text):
            text = text[found.end() :]
    return text


def without_frame(text: str) -> str:
    """Return a text without the lines that frame it, such as "--- BEGIN PROMPT ---"."""
    text = _MARKED_AS.sub("", text, count=1) if _MARKED_AS.match(text) else text
    if "\n" not in text:
        return text
    lines = text.strip().split("\n")
    while len(lines) > 1 and _FRAME.fullmatch(lines[0]):
        del lines[0]
    while len(lines) > 1 and _FRAME.fullmatch(lines[-1]):
        del lines[-1]
    return "\n".join(lines)
