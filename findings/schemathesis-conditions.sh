#!/usr/bin/env bash
# schemathesis makes test cases of seven conditions side by side, and of nine, but not of eight.
#
# Software   schemathesis 4.32.5, jsonschema-rs 0.60.3
# Expected   a schema with one more rule of the same kind is as well supported as the last one
# Observed   rules as `{"if": ..., "then": ...}` in `allOf`, one for each kind of object: with seven and with nine of
#            them there are test cases; with eight the operation is refused as unsupported. The same eight rules
#            chained by `else`, which means the same for kinds that exclude each other, are supported.
# Output     7 in allOf: cases
#            8 in allOf: UnsupportedSchema
#            9 in allOf: cases
#            8 chained by else: cases
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check schemathesis==4.32.5 jsonschema-rs==0.60.3

cat >check.py <<'PY'
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.core.errors import UnsupportedSchema


def schema_of(count, is_chained):
    kinds = [f"k{n}" for n in range(count)]
    fields = {f"f{n}": {"type": "integer"} for n in range(count)}
    base = {
        "type": "object",
        "required": ["kind"],
        "properties": {"kind": {"enum": kinds}, **fields},
        "additionalProperties": False,
    }
    rules = [
        {
            "if": {"properties": {"kind": {"const": kind}}, "required": ["kind"]},
            "then": {"required": [field]},
        }
        for kind, field in zip(kinds, fields, strict=True)
    ]
    if not is_chained:
        return {**base, "allOf": rules}
    chain = rules.pop()
    while rules:
        chain = {**rules.pop(), "else": chain}
    return {**base, **chain}


def outcome(schema):
    body = {"required": True, "content": {"application/json": {"schema": schema}}}
    operation = {"requestBody": body, "responses": {"200": {"description": "Good."}}}
    document = {
        "openapi": "3.1.0",
        "info": {"title": "test", "version": "1"},
        "paths": {"/things": {"post": operation}},
    }
    cases = schemathesis.openapi.from_dict(document)["/things"]["POST"].as_strategy()

    @settings(max_examples=5, database=None, deadline=None, suppress_health_check=list(HealthCheck))
    @given(case=cases)
    def look(case):
        assert f"f{case.body['kind'][1:]}" in case.body

    try:
        look()
    except UnsupportedSchema:
        return "UnsupportedSchema"
    return "cases"


found = {f"{count} in allOf": outcome(schema_of(count, is_chained=False)) for count in (7, 8, 9)}
found["8 chained by else"] = outcome(schema_of(8, is_chained=True))
for name, what in found.items():
    print(f"{name}: {what}")
assert list(found.values()) == ["cases", "UnsupportedSchema", "cases", "cases"]
PY
env/bin/python check.py
