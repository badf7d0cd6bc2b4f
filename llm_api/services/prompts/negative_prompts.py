"""Makes negative prompts: what a prompt excludes, for target models that take it apart."""

from llm_api.services.prompts.languages.tags import is_dense
from llm_api.services.prompts.task import Task


def negative_prompt(task: Task) -> str:
    """Return the things that the prompt excludes, in its own words; empty if there are none.

    It is not longer than the target model's `max_negative` characters.
    """
    limit = task.target.max_negative
    if limit is None:
        return ""
    comma = "，" if is_dense(task.constraints.language) else ", "
    text = ""
    for thing in dict.fromkeys(negation.words for negation in task.constraints.negations):
        longer = f"{text}{comma}{thing}" if text else thing
        if len(longer) > limit:
            break
        text = longer
    return text
