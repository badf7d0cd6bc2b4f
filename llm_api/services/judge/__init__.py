"""Judges pictures with a vision model.

This package is the entry: `JudgeService` scores, compares and ranks, with a `Rubric` whose texts
are files in `config/rubrics/`.

* `judged_pictures` reads callers' pictures; `picture_parts` writes them into messages.
* `questions` has what a model is asked, `sampling` how often, and `asking` asks it: each question
  is a call with a row of its own, and at most one call more where the answer cannot be read.
* `reply_objects` finds JSON in a reply, `readings` what it says: whole, in the words that were
  given, and only once, or not at all.
* `measuring` has the picture measured, beside the model or in its place.
* `verdicts` makes numbers of words, `verdict_events` what a lineage has of them; `pairs` compares
  and ranks.
"""

from llm_api.services.judge.judge_service import JudgeService, JudgeTools
from llm_api.services.judge.judged_pictures import JudgedPictures
from llm_api.services.judge.measuring import Measuring
from llm_api.services.judge.rubric import DIMENSIONS, Rubric

__all__ = ["DIMENSIONS", "JudgeService", "JudgeTools", "JudgedPictures", "Measuring", "Rubric"]
