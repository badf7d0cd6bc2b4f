"""Fields that orders of pictures and of films have in common."""

from llm_api.services.keys import formats
from llm_api.web.request.context import MAX_TAGS
from llm_api.web.rest.key_schemas import FormattedField
from llm_api.web.schema_fields import ShortList, String, line


def callback_field() -> String:
    """Make the field of where the end of a task is announced."""
    described = {"description": "Gets a signed message when the task ends."}
    pattern = {"pattern": "^https?://[!-~]+$"}
    return line(1, 2_048, allow_none=True, metadata=described | pattern)


def tags_field() -> ShortList:
    """Make the field of tags for the usage row."""
    described = {"description": "Of the usage row, beside those of `X-Usage-Tags`."}
    item = FormattedField(formats.TAG)
    return ShortList(item, at_most=MAX_TAGS, allow_none=True, metadata=described)


def user_field() -> String:
    """Make the field of the caller's end user."""
    described = {"description": "Your end user; vendors get only a hash of it."}
    return line(1, 512, allow_none=True, metadata=described)
