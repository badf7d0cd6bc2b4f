"""What `config/models.toml` may say, beside prices."""

from typing import Any

import marshmallow as ma

from llm_api.domain.calls import CHAT, IMAGE, VIDEO
from llm_api.services.quotas.rate_counter import parse_limits
from llm_api.settings.price_schema import PriceSchema


class Names(ma.fields.List[Any]):
    """A list of names, none of them empty."""

    def __init__(self, **options: Any) -> None:
        """Accept the options of any list."""
        super().__init__(ma.fields.String(validate=ma.validate.Length(min=1)), **options)


def _check_rate(text: str) -> None:
    try:
        is_valid = all(item.amount >= 1 for item in parse_limits(text))
    except ValueError:
        is_valid = False
    if not is_valid:
        raise ma.ValidationError("Must be a limit such as 300/minute or 10/second;5000/day.")


# The same for editors; the units are those of the library `limits`.
_RATE = (
    r"\s*0*[1-9]\d*\s*(/|per)\s*\d*\s*([Ss]econd|[Mm]inute|[Hh]our|[Dd]ay|[Mm]onth|[Yy]ear)s?\s*"
)
_RATES = {"pattern": f"^{_RATE}([,;|]{_RATE})*$"}


class _Count(ma.fields.Integer):
    def __init__(self, description: str) -> None:
        super().__init__(
            strict=True,
            validate=ma.validate.Range(1, 10**9),
            metadata={"description": description},
        )


def _says(description: str, **json: Any) -> dict[str, Any]:
    """Return what a schema for editors has beside a field's type."""
    return {"description": description, "json": json}


class _LimitsSchema(ma.Schema):
    requests = ma.fields.String(
        validate=_check_rate,
        metadata=_says("Such as 600/minute;20000/day.", **_RATES),
    )
    tokens_per_minute = _Count("Of prompts and answers.")
    concurrent_requests = _Count("Calls at the same time.")
    concurrent_streams = _Count("Streams among them.")
    images_per_minute = _Count("Pictures that are asked for.")


class _ModelSchema(ma.Schema):
    upstream = ma.fields.String(
        required=True,
        metadata=_says("fast, judge, local, image, video, or a name of EXTRA_UPSTREAMS."),
    )
    kind = ma.fields.String(
        load_default=CHAT,
        validate=ma.validate.OneOf([CHAT, IMAGE, VIDEO]),
        metadata=_says("image for a model that makes pictures, video for one that makes films."),
    )
    model = ma.fields.String(
        load_default=None,
        validate=ma.validate.Length(min=1),
        metadata=_says("Its name at the upstream, where callers use another one."),
    )
    profile = ma.fields.String(
        load_default=None,
        validate=ma.validate.Length(min=1),
        metadata=_says(
            "The vendor profile that the upstream must have: a file without its ending."
        ),
    )
    is_guided = ma.fields.Boolean(
        load_default=False,
        truthy={True},
        falsy={False},
        metadata=_says("For a model that is too small to follow instructions."),
    )
    has_json_mode = ma.fields.Boolean(
        load_default=False,
        truthy={True},
        falsy={False},
        metadata=_says("It supports response_format json_object."),
    )
    fallback = Names(
        load_default=(),
        metadata=_says("Models and upstreams to try in order when this one fails."),
    )
    longer_context = ma.fields.String(
        load_default=None,
        metadata=_says("The model for conversations that exceed this one's context."),
    )
    prices = ma.fields.List(
        ma.fields.Nested(PriceSchema),
        load_default=(),
        metadata=_says("Each from a day on; what is left out is unknown, not free."),
    )
    limits = ma.fields.Nested(
        _LimitsSchema, load_default=dict, metadata=_says("Of all callers together.")
    )
    parameters = Names(
        load_default=(),
        metadata=_says("Fields that it takes beside those of its vendor's profile."),
    )


class CatalogueSchema(ma.Schema):
    """The file `config/models.toml`."""

    models = ma.fields.Dict(
        keys=ma.fields.String(), values=ma.fields.Nested(_ModelSchema), required=True
    )
