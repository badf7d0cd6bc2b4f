"""Prompts of videos in sections, each with its time.

Veo reads `[00:00-00:02]` in front of a section
(https://cloud.google.com/blog/products/ai-machine-learning/ultimate-prompting-guide-for-veo-3-1),
Kling a script in the order of what happens (https://blog.fal.ai/kling-3-0-prompting-guide),
MiniMax H3 three named fields, of which the first tells one take after `[Shot 1]`
(https://huggingface.co/MiniMaxAI/MiniMax-H3/blob/main/docs/VIDEO_PROMPT_WRITING_GUIDE_base_en.md).
A cut is nobody's wish: all sections are of one take, so that H3 gets a single shot.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from llm_api.services.prompts.dialects.plan import Plan
from llm_api.services.prompts.dialects.plan_wording import prose, sentence
from llm_api.services.prompts.languages.tags import is_dense

_NONE = "N/A"  # H3's word for a field without content


def veo(plan: Plan, language: str, seconds: int) -> str:
    """Return what the scene is, and a line for each of its beats."""
    lines = _timed(plan, language, seconds, lambda a, b, text: f"[{clock(a)}-{clock(b)}] {text}")
    return "\n".join([prose(plan, language, with_beats=False), *lines])


def kling(plan: Plan, language: str, seconds: int) -> str:
    """Return what the scene is, and a line for each of its beats."""
    unit = "秒：" if is_dense(language) else "s: "
    lines = _timed(plan, language, seconds, f"{{}}-{{}}{unit}{{}}".format)
    return "\n".join([prose(plan, language, with_beats=False), *lines])


def minimax_h3(plan: Plan, language: str, seconds: int) -> str:
    """Return H3's three fields: one shot with its beats, what is heard, and no music."""
    silent = replace(plan, sound="")
    beats = _timed(plan, language, seconds, _moment)
    shot = " ".join([prose(silent, language, with_beats=False), *beats])
    return h3_fields(f"[Shot 1] {shot}", language, plan.sound)


def h3_fields(shots: str, language: str, sound: str = "") -> str:
    """Return H3's three fields for what is seen, in numbered shots, and what is heard."""
    heard = sentence(sound, language) if sound else _NONE
    return (
        f"integrated_multimodal_description:\n{shots}\n\n"
        f"overall_soundscape:\n{heard}\n\nnon_diegetic_music:\n{_NONE}"
    )


def _moment(start: int, end: int, text: str) -> str:
    return f"From {clock(start)}.000 to {clock(end)}.000: {text}"


def clock(seconds: int) -> str:
    """Write seconds as minutes and seconds: `01:05`."""
    return f"{seconds // 60:02d}:{seconds % 60:02d}"


def _timed(
    plan: Plan, language: str, seconds: int, line: Callable[[int, int, str], str]
) -> Sequence[str]:
    """Return the beats, each with its share of the time in whole seconds.

    Beats that would have less than a second go on with the one before them.
    """
    beats = list(plan.beats)
    while len(beats) > max(seconds, 1):
        beats[-2:] = [f"{beats[-2]}{'，' if is_dense(language) else ', then '}{beats[-1]}"]
    ends = [round(seconds * at / len(beats)) for at in range(len(beats) + 1)] if beats else []
    return [
        line(start, end, sentence(beat, language))
        for start, end, beat in zip(ends, ends[1:], beats, strict=False)
    ]
