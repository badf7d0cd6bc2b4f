"""Builds what judges pictures."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from llm_api.container.makers import Makers
from llm_api.container.surroundings import Surroundings
from llm_api.errors import BodyTooLarge, InvalidRequest
from llm_api.pictures.meter import PictureMeter
from llm_api.services.judge import JudgedPictures, JudgeService, JudgeTools, Measuring
from llm_api.services.judge.judged_pictures import MAX_BYTES
from llm_api.services.measured_judge import MeasuredJudge
from llm_api.services.prompts import PictureDescriber
from llm_api.services.routing.catalogue import Catalogue
from llm_api.services.usage.ledger import UsageLedger
from llm_api.settings.config_files import read_targets
from llm_api.settings.reader import JUDGE
from llm_api.settings.rubric_files import read_rubrics
from llm_api.upstream.media.fetching import LinkClient
from llm_api.upstream.media.links import LinkFailed, LinkPolicy

_FETCH_S = 30.0


@dataclass(frozen=True, slots=True)
class JudgeParts:
    """What judges pictures, and what has to be closed when the application ends."""

    service: JudgeService
    describer: PictureDescriber
    closable: Sequence[Measuring | PictureMeter]


def build_judge(
    makers: Makers, around: Surroundings, catalogue: Catalogue, ledger: UsageLedger
) -> JudgeParts:
    """Build what judges pictures; raises SettingsError."""
    settings, meter = around.settings, PictureMeter()
    measuring = Measuring(MeasuredJudge(meter))
    fetch = partial(fetched, LinkClient(around.watch))
    tools = JudgeTools(
        catalogue=catalogue,
        ledger=ledger,
        prices=around.prices,
        pictures=JudgedPictures(around.stores.files, makers.pictures, fetch),
        measuring=measuring,
        rubrics=read_rubrics(settings.config_root),
        upstream=JUDGE if JUDGE in settings.upstreams else None,
        record=around.stores.lineage.record,
    )
    service = JudgeService(tools)
    describer = PictureDescriber(
        service,
        ledger,
        read_targets(settings.config_root),
        record=tools.record,
        prices=around.prices,
    )
    return JudgeParts(service, describer, [measuring, meter])


def fetched(links: LinkClient, url: str, field: str) -> bytes:
    """Return the picture at a caller's address; raises InvalidRequest, which names the field."""
    try:
        return links.fetch(url, LinkPolicy(MAX_BYTES, _FETCH_S, is_on_usual_port=True))
    except LinkFailed as error:
        if error.defect == "too_large":
            raise BodyTooLarge.of_field(field, error.problem, reason="image_too_large") from error
        reason = "image_refused" if error.defect == "refused" else "image_fetch_failed"
        raise InvalidRequest.of_field(field, error.problem, reason=reason) from error
