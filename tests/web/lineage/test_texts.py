"""Texts are on disk only where the operator has switched that on, and go with their job."""

from collections.abc import Iterator
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import NullPool

from llm_api.storage.sql.tables import lineage_events
from tests.storage.changing import change
from tests.web.lineage.conftest import AskerOf
from tests.web.lineage.lineages import BETTER, CAT, GENERATE, Asker

# Words of the prompt, of its rewrite, and of what a person has made of it.
WORDS = ("sitting on a chair", "old painted wood", "zebra crossing")
EDITED = f"{CAT} at a {WORDS[2]}"


def files_of(asker: Asker) -> Iterator[Path]:
    """Yield all files of an installation but the pictures, and those of its configuration."""
    database = Path(sa.make_url(asker.app.config["DATABASE_OF_THE_TEST"]).database or "")
    for path in database.parent.rglob("*"):
        if path.is_file() and "config" not in path.parts:
            yield path


def found_on_disk(asker: Asker) -> dict[str, set[str]]:
    """Return the names of the files in which each of the words is."""
    return {
        word: {path.name for path in files_of(asker) if word.encode() in path.read_bytes()}
        for word in WORDS
    }


def stored_texts(asker: Asker) -> list[str]:
    """Return the column of texts."""
    asker.app.extensions["llm_api"].lineage.flush()
    engine = sa.create_engine(asker.app.config["DATABASE_OF_THE_TEST"], poolclass=NullPool)
    with engine.connect() as connection:
        return [str(one) for one in connection.scalars(sa.select(lineage_events.c.texts)) if one]


def rewrite_and_edit(asker: Asker) -> None:
    """Have a prompt rewritten and edited, in one lineage."""
    asker.optimize("shop:7")
    asker.said(lineage_id="shop:7", outcome="edited", edited_prompt=EDITED)


def test_no_file_has_a_text_as_shipped(asker: Asker) -> None:
    rewrite_and_edit(asker)
    before = found_on_disk(asker)
    asker.app.extensions["llm_api"].lineage.flush()

    assert len(list(files_of(asker))) >= 1
    assert before == found_on_disk(asker) == {word: set() for word in WORDS}
    assert "texts" not in asker.lineage("shop:7")["rewrites"][0]


def test_texts_are_found_where_they_are_to_be_kept(asker_of: AskerOf) -> None:
    """That the test above can fail."""
    asker = asker_of(LINEAGE_TEXTS="on")

    rewrite_and_edit(asker)

    assert all(found_on_disk(asker).values())
    found = asker.lineage("shop:7")
    assert found["rewrites"][0]["texts"] == {"original_prompt": CAT, "optimized_prompt": BETTER}
    assert found["feedback"][0]["texts"] == {"edited_prompt": EDITED}
    assert 0 < found["feedback"][0]["changed"] < 1


def test_pictures_leave_no_text_in_their_lineage_as_shipped(asker: Asker) -> None:
    asker.draw("shop:7", prompt=CAT)

    assert stored_texts(asker) == []


def test_purging_a_job_deletes_the_texts_of_its_lineage(asker_of: AskerOf) -> None:
    asker = asker_of(LINEAGE_TEXTS="on")
    rewrite_and_edit(asker)
    job = asker.draw("shop:7", prompt=BETTER)
    asker.optimize("shop:8")
    before = stored_texts(asker)

    gone = asker.client.delete(f"/api/v1/images/tasks/{job['id']}?purge=1")

    left = asker.lineage("shop:7")
    assert gone.status_code == 200
    assert len(before) == 4
    assert len(stored_texts(asker)) == 1  # of the other lineage
    assert all("texts" not in one for kind in ("rewrites", "pictures") for one in left[kind])
    assert (left["pictures"][0]["n"], left["feedback"][0]["outcome"]) == (1, "edited")


def test_texts_that_were_on_their_way_when_their_job_was_purged_are_deleted_too(
    asker_of: AskerOf,
) -> None:
    asker = asker_of(LINEAGE_TEXTS="on")
    job = asker.draw("shop:7", prompt=CAT)

    asker.client.delete(f"/api/v1/images/tasks/{job['id']}?purge=1")

    assert stored_texts(asker) == []
    assert len(asker.lineage("shop:7")["pictures"]) == 1


def test_old_texts_go_with_the_files_and_old_lineages_with_the_usage_rows(
    asker_of: AskerOf,
) -> None:
    asker = asker_of(LINEAGE_TEXTS="on", FILES_RETENTION_DAYS="7", USAGE_RETENTION_DAYS="30")
    for name in ("young", "old", "ancient"):
        asker.optimize(name)
    asker.app.extensions["llm_api"].lineage.flush()
    for name, days in (("old", 8), ("ancient", 31)):
        _make_older(asker, name, days)

    asker.app.extensions["llm_api_file_retention"].delete_all()

    assert "texts" in asker.lineage("young")["rewrites"][0]
    assert "texts" not in asker.lineage("old")["rewrites"][0]
    assert asker.get("ancient").status_code == 404


def test_lineages_stay_for_ever_where_usage_rows_do(asker: Asker) -> None:
    asker.optimize("ancient")
    asker.app.extensions["llm_api"].lineage.flush()
    _make_older(asker, "ancient", 3_000)

    asker.app.extensions["llm_api_file_retention"].delete_all()

    assert len(asker.lineage("ancient")["rewrites"]) == 1


def test_a_preview_makes_no_pictures_in_a_lineage(asker: Asker) -> None:
    body = {"model": "layout-sketch", "prompt": CAT, "preview": True}
    asker.client.post(GENERATE, json=body, headers={"X-Lineage-Id": "shop:7"})

    assert asker.get("shop:7").status_code == 404


def _make_older(asker: Asker, lineage: str, days: int) -> None:
    table = lineage_events
    moment = sa.func.datetime(table.c.at, f"-{days} days")
    older = sa.update(table).where(table.c.lineage_id == lineage).values(at=moment)
    change(asker.app.config["DATABASE_OF_THE_TEST"], [older])
