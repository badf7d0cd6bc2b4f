"""Rewrites prompts for image and video models, keeping what the user asked for.

This package is the entry; everything outside of it imports these names from here:
`PromptOptimizer` rewrites, `PictureDescriber` writes the prompt of a picture that one of the
`VisionModels` sees, `find_constraints` returns the `Constraints` that a rewrite must keep,
`find_violations` checks a rewrite, `find_scene` returns the `Scene` that a prompt describes, with
its `Thing`s and their `Place`s. `requirements_of` returns what a picture of a prompt can be held
against, `read_checkpoint` reads a sentence about a picture in the same way, and
`lost_requirements` says which of them another wording of the prompt has lost. `is_chinese` knows
the language of a text, and `without_marks` returns a reply without its thoughts. `KeptRewrites`
keeps rewrites where `Keeping` says, such as in `SharedRewrites`, under ids of the form
`REWRITE_ID`; `NO_SUCH_REWRITE` and `NOT_KEPT` are its errors, and `NO_REWRITES` is that of a
service that rewrites nothing. `OF_REWRITES` are all errors of a single rewrite.

* `optimizer` answers a request: `task` reads it, `rewriter` makes one call or two by one of two
  `strategies`, `details` describes how it was done, `experiment` records it in its lineage.
* `keeping` gives the same request the same words.
* `compiling` makes one call for several target models, and for those that read no prose: a model
  plans a scene that `dialects` render, with flags, as JSON or with times.
* `storyboards` makes shots of a script, whose seconds `shot_seconds` shares out.
* `constraints` finds what must stay of a prompt, `checks` whether a rewrite keeps it and adds
  nothing forbidden, both by the words of `vocabulary`. `validation` adds what only the service
  knows: whether our own instructions came back, and whether a text is about the prompt at all.
* `edits` reads instructions that change pictures, and `sight` shows these to a model that sees.
* `requirements` turns what a prompt says into sentences that can be answered with yes or no.
* `repair` corrects by code what can be corrected so, with phrases from `enrichment`.
* `text` has operations on plain text; `language` distinguishes English from Chinese.
"""

from llm_api.services.prompts.checks.all_checks import find_violations
from llm_api.services.prompts.constraints.constraints import Constraints, find_constraints
from llm_api.services.prompts.constraints.scene import Place, Scene, Thing, find_scene
from llm_api.services.prompts.descriptions.picture_describer import PictureDescriber
from llm_api.services.prompts.experiment import Experiment
from llm_api.services.prompts.keeping.rewrite_keeping import (
    NO_SUCH_REWRITE,
    NOT_KEPT,
    Keeping,
    KeptRewrites,
)
from llm_api.services.prompts.keeping.rewrite_leases import SharedRewrites
from llm_api.services.prompts.keeping.rewrite_names import REWRITE_ID
from llm_api.services.prompts.language import is_chinese
from llm_api.services.prompts.optimizer import NO_REWRITES, OF_REWRITES, PromptOptimizer
from llm_api.services.prompts.requirements.lost import lost_requirements
from llm_api.services.prompts.requirements.requirements import read_checkpoint, requirements_of
from llm_api.services.prompts.sight import VisionModels
from llm_api.services.prompts.strategies.reply_marks import without_marks

__all__ = [
    "NOT_KEPT",
    "NO_REWRITES",
    "NO_SUCH_REWRITE",
    "OF_REWRITES",
    "REWRITE_ID",
    "Constraints",
    "Experiment",
    "Keeping",
    "KeptRewrites",
    "PictureDescriber",
    "Place",
    "PromptOptimizer",
    "Scene",
    "SharedRewrites",
    "Thing",
    "VisionModels",
    "find_constraints",
    "find_scene",
    "find_violations",
    "is_chinese",
    "lost_requirements",
    "read_checkpoint",
    "requirements_of",
    "without_marks",
]
