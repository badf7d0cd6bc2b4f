#!/usr/bin/env bash
# JSON Schema's `false` becomes a reference to a component named False, which nobody defines.
#
# Software   apispec 6.10.1, jsonschema-rs 0.60.3
# Expected   `items: false`, with which OpenAPI 3.1 closes a tuple after `prefixItems`, is passed on as it is
# Observed   it becomes {"$ref": "#/components/schemas/False"}; `additionalProperties: false` stays. apispec says
#            nothing, and a validator cannot use the schema at all.
# Output     items: {'$ref': '#/components/schemas/False'}, additionalProperties: False
#            a validator: Pointer '/components/schemas/False' does not exist
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check apispec==6.10.1 packaging jsonschema-rs==0.60.3

cat >check.py <<'PY'
import jsonschema_rs
from apispec import APISpec

size = {"type": "array", "prefixItems": [{"type": "integer"}, {"type": "integer"}], "items": False}
image = {"type": "object", "properties": {"size": size}, "additionalProperties": False}
spec = APISpec("test", "1", "3.1.0")
spec.components.schema("Image", image)
document = spec.to_dict()
written = document["components"]["schemas"]["Image"]
items, others = written["properties"]["size"]["items"], written["additionalProperties"]
print(f"items: {items}, additionalProperties: {others}")
assert items == {"$ref": "#/components/schemas/False"}
assert others is False
try:
    jsonschema_rs.Draft202012Validator({"$ref": "#/components/schemas/Image", **document})
except Exception as error:
    print("a validator:", str(error).splitlines()[0])
    assert "/components/schemas/False" in str(error)
else:
    raise SystemExit("the reference leads somewhere")
PY
env/bin/python check.py
