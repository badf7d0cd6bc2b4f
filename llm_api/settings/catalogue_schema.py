"""What `config/models.toml` may say, beside prices."""

from typing import Any

import marshmallow as ma

from llm_api.domain.calls import CHAT, IMAGE
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


class _Count(ma.fields.Integer):
    def __init__(self) -> None:
        super().__init__(strict=True, validate=ma.validate.Range(1, 10**9))


class _LimitsSchema(ma.Schema):
    requests = ma.fields.String(validate=_check_rate)
    tokens_per_minute = _Count()
    concurrent_requests = _Count()
    concurrent_streams = _Count()
    images_per_minute = _Count()


class _ModelSchema(ma.Schema):
    upstream = ma.fields.String(required=True)
    kind = ma.fields.String(load_default=CHAT, validate=ma.validate.OneOf([CHAT, IMAGE]))
    model = ma.fields.String(load_default=None, validate=ma.validate.Length(min=1))
    profile = ma.fields.String(load_default=None, validate=ma.validate.Length(min=1))
    is_guided = ma.fields.Boolean(load_default=False, truthy={True}, falsy={False})
    has_json_mode = ma.fields.Boolean(load_default=False, truthy={True}, falsy={False})
    fallback = Names(load_default=())
    longer_context = ma.fields.String(load_default=None)
    prices = ma.fields.List(ma.fields.Nested(PriceSchema), load_default=())
    limits = ma.fields.Nested(_LimitsSchema, load_default=dict)
    parameters = Names(load_default=())


class CatalogueSchema(ma.Schema):
    """The file `config/models.toml`."""

    models = ma.fields.Dict(
        keys=ma.fields.String(), values=ma.fields.Nested(_ModelSchema), required=True
    )
