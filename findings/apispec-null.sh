#!/usr/bin/env bash
# A type that allows null already gets a second one from apispec, which makes the document invalid.
#
# Software   apispec 6.10.1, marshmallow 4.4.0, jsonschema 4.26.0
# Expected   a field's metadata overrides what apispec derives, or `allow_none` adds null where it is missing
# Observed   `allow_none` writes null behind any `type` of the metadata, also behind ["object", "null"]: its items
#            are no longer unique, as JSON Schema demands, and validators refuse the whole schema. Without a `type`
#            in a Raw field it adds nothing: beside `enum` or `anyOf` the document refuses what the field takes.
# Output     {"type": "object"} -> {"type": ["object", "null"]}
#            {"type": ["object", "null"]} -> {"type": ["object", "null", "null"]}, invalid
#            {"enum": ["a", "b"]} -> {"enum": ["a", "b"]}, refuses null
#            {"anyOf": [{"type": "string"}]} -> {"anyOf": [{"type": "string"}]}, refuses null
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check apispec==6.10.1 marshmallow==4.4.0 packaging jsonschema==4.26.0

cat >check.py <<'PY'
import json

import jsonschema
import marshmallow as ma
from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin

GIVEN = (
    {"type": "object"},
    {"type": ["object", "null"]},
    {"enum": ["a", "b"]},
    {"anyOf": [{"type": "string"}]},
)
FIELDS = {f"f{n}": ma.fields.Raw(allow_none=True, metadata=data) for n, data in enumerate(GIVEN)}
Example = ma.Schema.from_dict(FIELDS)
assert Example().validate(dict.fromkeys(FIELDS)) == {}
spec = APISpec("test", "1", "3.1.0", [MarshmallowPlugin()])
spec.components.schema("Example", schema=Example)
schemas = spec.to_dict()["components"]["schemas"]["Example"]["properties"]
verdicts = []
for data, schema in zip(GIVEN, schemas.values(), strict=True):
    verdict = ""
    try:
        jsonschema.validate(None, schema, jsonschema.Draft202012Validator)
    except jsonschema.SchemaError:
        verdict = ", invalid"
    except jsonschema.ValidationError:
        verdict = ", refuses null"
    print(f"{json.dumps(data)} -> {json.dumps(schema)}{verdict}")
    verdicts.append(verdict)
assert verdicts == ["", ", invalid", ", refuses null", ", refuses null"]
assert schemas["f1"] == {"type": ["object", "null", "null"]}
PY
env/bin/python check.py
