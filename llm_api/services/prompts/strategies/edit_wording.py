"""Words an edit without a model: the user's own instruction, and that everything else stays."""

import re

from llm_api.services.prompts.edits.clauses import clauses_of
from llm_api.services.prompts.edits.keeping_words import keeping_words, says_what_stays
from llm_api.services.prompts.edits.operations import Act
from llm_api.services.prompts.languages.tags import form_of, has_vocabulary
from llm_api.services.prompts.task import Task
from llm_api.services.prompts.text import is_ended

# What is said to a person, and not of the picture.
_POLITE = re.compile(
    r"\A\s*(?:(?:please|hi|hello|hey)\b[\s,!]*)*"
    r"(?:(?:can|could|would|will) you (?:please )?"
    r"|i(?: want|['’]d like|['’]ll need| need) you to )?"
    r"(?:please )?(?=\w)",
    re.IGNORECASE,
)
_POLITE_END = re.compile(r"[\s,]*(?:please|thank you|thanks)?[\s.!?]*\Z", re.IGNORECASE)
_HAN_POLITE = re.compile(r"\A\s*(?:请问?你?|麻烦你?|能不能|可不可以|可以)?(?:帮我|帮忙|给我)?")
_HAN_POLITE_END = re.compile(r"(?:吗|好吗|可以吗|谢谢)?[\s。！？!?]*\Z")


def edit_in_own_words(task: Task) -> str:
    """Return the user's words as an instruction, with a sentence that keeps the rest.

    Words that only name something are said to be what the picture is edited to. A language whose
    sentence is not known has the user's words alone.
    """
    language = task.answered_in(task.prompt).language
    order = _order(task.prompt, language)
    words = keeping_words(language)
    if words is None or says_what_stays(order, language):
        return order
    gap = "" if form_of(language) == "zh" else " "
    return f"{order}{gap}{words.sentence}"


def _only_names(text: str) -> bool:
    """Whether words name something, and say of nothing what is to be done to it."""
    acts = {clause.act for clause in clauses_of(text)}
    return None in acts and acts.isdisjoint({Act.MAKE, Act.REMOVE})


def _order(prompt: str, language: str) -> str:
    is_dense = form_of(language) == "zh"
    text = prompt.strip()
    if language == "en":
        text = _POLITE_END.sub("", _POLITE.sub("", text, count=1))
    elif language == "zh":
        text = _HAN_POLITE_END.sub("", _HAN_POLITE.sub("", text, count=1))
    text = text or prompt.strip()
    if has_vocabulary(language) and _only_names(text):
        text = f"按此修改图片：{text}" if is_dense else f"Edit the picture: {text}"
    text = text[:1].upper() + text[1:]
    return text if is_ended(text) else f"{text}{'。' if is_dense else '.'}"
