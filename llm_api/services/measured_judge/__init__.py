"""Judges pictures by what can be measured in them, without a model that understands pictures.

`MeasuredJudge` has a picture measured and answers each requirement with passed, failed or unknown;
it never gives a mark for beauty. `verdict_of_measured` is its verdict without a vision model,
`merged` puts what it found beside one. `fidelity_of` says who lost what on the way from the prompt
to the picture.

`text_findings` judges texts by `text_distance`, `object_findings` counts, things and places by the
names of `detectable`. "Not seen" is never "not there": a part that finds too little says unknown.
"""

from llm_api.services.measured_judge.fidelity import fidelity_of
from llm_api.services.measured_judge.measured_judge import MeasuredJudge, Meter
from llm_api.services.measured_judge.merging import merged, verdict_of_measured

__all__ = ["MeasuredJudge", "Meter", "fidelity_of", "merged", "verdict_of_measured"]
