"""What went wrong, and how the service is, on Chinese pages: in Chinese, above what it has said."""

import re
from collections.abc import Mapping

import pytest
from flask import Flask

from llm_api.web.console.operate_words import words_of
from tests.storage.records import ended
from tests.support.tables import each
from tests.web.console.signed_in import OURS, SignedIn, problem_in
from tests.web.keyed import ADMIN, CLOSED, STATIC, issue
from tests.web.reports import NOVEMBER, at, keeper

OPERATE = "/console/operate"
_ENGLISH = re.compile(r'<(p|span)[^>]* lang="en">([^<]+)</\1>')


@pytest.fixture(scope="module")
def module_env() -> Mapping[str, str]:
    """Require keys of the module's application."""
    return CLOSED


@pytest.fixture
def admin(module_app: Flask) -> SignedIn:
    """Sign in as the admin, who reads Chinese."""
    return reader(module_app, ADMIN)


def reader(app: Flask, key: str) -> SignedIn:
    """Sign in with a browser that prefers Chinese."""
    signed_in = SignedIn.with_key(app, key)
    signed_in.client.environ_base["HTTP_ACCEPT_LANGUAGE"] = "zh-CN"
    return signed_in


def test_an_error_says_what_its_reason_means_and_beneath_what_was_said(admin: SignedIn) -> None:
    answer = admin.client.get(f"{OPERATE}/keys/key_nobody")

    [said] = [text for _, text in _ENGLISH.findall(answer.text)]
    assert answer.status_code == 404
    assert '<html lang="zh-CN"' in answer.text
    assert said == "There is no key with this id or name."
    assert problem_in(answer) == (
        f"没有这个密钥，或已被删除。 请从密钥列表中选择。 服务的英文原文 {said}"
    )


def test_where_the_service_s_own_language_is_read_nothing_is_added(module_app: Flask) -> None:
    answer = SignedIn.with_key(module_app, ADMIN).client.get(f"{OPERATE}/keys/key_nobody")

    assert problem_in(answer) == "There is no key with this id or name."
    assert _ENGLISH.findall(answer.text) == []
    assert 'class="original"' not in answer.text


@each(("path", "name"), [("/keys/KEY/delete", "not_confirmed"), ("/tasks/img_0/cancel", "job_")])
def test_what_was_not_done_is_told(path: str, name: str, module_app: Flask) -> None:
    admin, key = reader(module_app, ADMIN), issue(module_app).key

    answer = admin.send(OPERATE + path.replace("KEY", key.id))

    told = {"not_confirmed": "没有勾选确认，因此没有删除任何内容。", "job_": "没有这个任务："}
    assert problem_in(answer).startswith(told[name])


def test_a_form_says_in_chinese_what_its_fields_must_be(admin: SignedIn) -> None:
    wrong = admin.send(f"{OPERATE}/keys/new", name="x", expires="soon", requests="many")
    names = [admin.send(f"{OPERATE}/groups", name="twice") for _ in range(2)]

    assert wrong.status_code == 400
    assert _ENGLISH.findall(wrong.text) == []
    assert re.search("<code>expires</code> 必须是.*。</li>", wrong.text)
    assert problem_in(names[-1]).startswith("已有同名的密钥组。请换一个名称，或修改已有的组。")
    assert len(_ENGLISH.findall(names[-1].text)) == 1


def test_a_key_that_is_wrong_is_told_at_the_sign_in(module_app: Flask) -> None:
    answer = module_app.test_client().post(
        "/console/sign-in", data={"key": "wrong"}, headers={**OURS, "Accept-Language": "zh-CN"}
    )

    assert answer.status_code == 401
    assert problem_in(answer) == "密钥无效：可能输入有误、已停用或已过期。"


def test_the_usage_of_others_is_refused_with_what_helps(module_app: Flask) -> None:
    answer = reader(module_app, STATIC).client.get("/console/usage?key=another")

    assert answer.status_code == 403
    assert problem_in(answer).startswith(
        "此操作需要管理员密钥。 请用管理员密钥登录。 服务的英文原文"
    )


def test_reasons_of_calls_are_explained_beside_their_names(
    module_app: Flask, admin: SignedIn
) -> None:
    attempt = {"upstream": "fast", "model": "m", "reason": "upstream_dns", "ms": 9}
    failed = ended(
        "req_failed",
        status="upstream_error",
        reason="upstream_dns",
        created_at=at(3),
        attempts_detail=[attempt],
    )
    keeper(module_app)(failed)

    [row] = admin.tables(f"{OPERATE}/calls", id="req_failed").body("attempts")
    [cause] = admin.tables("/console/usage", **NOVEMBER).body("errors")

    assert row[2] == "upstream_dns无法解析上游的主机名。"
    assert cause[1] == "upstream_dns无法解析上游的主机名。"
    assert "upstream_error 上游出错" in admin.page(f"{OPERATE}/calls", id="req_failed")


def test_the_doctor_finds_in_chinese(admin: SignedIn) -> None:
    answer = admin.send(f"{OPERATE}/doctor")

    assert '<th scope="row">数据库结构</th>' in answer.text
    assert "数据库结构是最新的。" in answer.text
    assert "The schema is the current one." not in answer.text
    assert _ENGLISH.findall(answer.text) == []


def test_acts_and_parts_have_names(module_app: Flask, admin: SignedIn) -> None:
    words = words_of("zh")
    issue(module_app, "named")

    [row] = admin.tables(f"{OPERATE}/audit", subject="named").body("audit")
    overview = admin.page(OPERATE)

    assert row[2] == "key.create + 新建密钥"
    assert words is not None
    for name in ("database", "limiter", "upstream"):
        assert f"<dt>{name} {words.term('parts', name)}</dt>" in overview
