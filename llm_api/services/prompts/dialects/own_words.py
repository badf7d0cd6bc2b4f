"""Plans a scene of a text, with the text's own words: nothing is known of it but what it says."""

from llm_api.services.prompts.constraints.scene import find_scene
from llm_api.services.prompts.dialects.plan import Plan, PlannedText, PlannedThing
from llm_api.services.prompts.task import Task


def plan_of_text(task: Task, text: str) -> Plan:
    """Return the plan of a text: the whole of it as summary, with its things and quoted texts.

    Args:
        task: the prompt that the text is a rewrite of, or is itself; its things are listed, and
            those of the text where the prompt has none or is in another language.
        text: sentences, or phrases with commas between them.
    """
    scene = find_scene(task.source)
    if task.is_translated or not scene.things:
        scene = find_scene(text)
    return Plan(
        summary=text.rstrip(" .。"),
        style=task.wanted.style or "",
        things=tuple(PlannedThing(str(thing).removeprefix("1 ")) for thing in scene.things),
        texts=tuple(PlannedText(quote) for quote in scene.texts),
    )
