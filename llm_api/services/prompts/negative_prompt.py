"""Writes a negative prompt from what the user does not want, and from nothing else."""

from llm_api.services.prompts.task import Task


def negative_prompt(task: Task) -> str:
    """Return what the prompt does not want, in its own words; empty where it wants all it names."""
    limit = task.target.max_negative
    if limit is None:
        return ""
    comma = "，" if task.locks.language == "zh" else ", "
    text = ""
    for thing in dict.fromkeys(negation.words for negation in task.locks.negations):
        longer = f"{text}{comma}{thing}" if text else thing
        if len(longer) > limit:
            break
        text = longer
    return text
