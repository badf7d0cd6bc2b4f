"""A file of `config/` is read by its schema once in each process, and again when it has changed."""

from pathlib import Path

import marshmallow as ma

from llm_api.settings.toml_files import checked

FILE = Path("sizes.toml")


class _SizesSchema(ma.Schema):
    sizes = ma.fields.List(ma.fields.Integer(), required=True)


class _LargestSchema(ma.Schema):
    sizes = ma.fields.Function(deserialize=max)


def test_a_text_that_was_read_before_is_not_read_again(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("sizes = [256, 512]")

    first, second = (checked(_SizesSchema, tmp_path, FILE) for _ in range(2))

    assert first == {"sizes": [256, 512]}
    assert first["sizes"] is second["sizes"]


def test_a_file_that_has_changed_is_read_anew(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("sizes = [256, 512]")
    checked(_SizesSchema, tmp_path, FILE)

    (tmp_path / FILE).write_text("sizes = [1024]")

    assert checked(_SizesSchema, tmp_path, FILE) == {"sizes": [1024]}


def test_another_schema_reads_a_text_in_its_own_way(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("sizes = [256, 512]")
    checked(_SizesSchema, tmp_path, FILE)

    assert checked(_LargestSchema, tmp_path, FILE) == {"sizes": 512}
