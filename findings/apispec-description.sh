#!/usr/bin/env bash
# A description of a marshmallow schema opens the object: apispec then leaves `additionalProperties` out.
#
# Software   apispec 6.10.1, marshmallow 4.4.0
# Expected   `description` in a schema's Meta adds a sentence to its JSON Schema and changes nothing else
# Observed   without one, a schema that refuses unknown fields has `additionalProperties: false`; with one, the
#            keyword is missing, so that the document allows what the schema still refuses. The same holds for
#            `additionalProperties: true` of a schema that includes unknown fields.
# Output     without a description: additionalProperties False
#            with a description: additionalProperties None, and marshmallow says Unknown field.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check apispec==6.10.1 marshmallow==4.4.0 packaging

cat >check.py <<'PY'
import marshmallow as ma
from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin


class Plain(ma.Schema):
    name = ma.fields.String()


class Described(Plain):
    class Meta:
        description = "Somebody."


spec = APISpec("test", "1", "3.1.0", [MarshmallowPlugin()])
for schema in (Plain, Described):
    spec.components.schema(schema.__name__, schema=schema)
schemas = spec.to_dict()["components"]["schemas"]
plain, described = (schemas[name].get("additionalProperties") for name in ("Plain", "Described"))
error = Described().validate({"other": 1})["other"][0]
print("without a description: additionalProperties", plain)
print(f"with a description: additionalProperties {described}, and marshmallow says {error}")
assert (plain, described) == (False, None)
assert schemas["Described"]["description"] == "Somebody."
assert error == "Unknown field."
PY
env/bin/python check.py
