"""The mapping table of local servers: what each of them receives of each of our fields."""

import base64
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import orjson
import pytest

from llm_api.errors import InvalidRequest
from tests.support.image_upstream import ImageVendor
from tests.support.tables import each
from tests.upstream.images.painter import (
    MODEL,
    PROFILES,
    captured,
    painter_of,
    size,
    square,
    stored,
)

A_SIZE = {"size": size("768x512")}
TAG = "<sd_cpp_extra_args>"
SERVERS = ("sd-server", "llama-swap", "localai", "vllm-omni", "sglang", "a1111")
OF_SD = ("sd-server", "llama-swap")


def received(server: str, **fields: Any) -> Mapping[str, Any]:
    """Return what a server has received of a request in one call."""
    [one] = captured(server, **fields)
    return one.fields


def extra_args(prompt: str) -> Any:
    """Return what stable-diffusion.cpp's server reads out of a prompt."""
    return orjson.loads(prompt.partition(TAG)[2].partition("</sd_cpp_extra_args>")[0])


ROWS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    # n
    *((server, {"n": 3}, {"n": 3}) for server in SERVERS if server != "a1111"),
    *((server, {}, {"n": 1}) for server in SERVERS if server != "a1111"),
    ("a1111", {"n": 3}, {"batch_size": 3, "n_iter": 1}),
    ("a1111", {}, {"batch_size": 1, "n_iter": 1}),
    # size
    *((server, A_SIZE, {"size": "768x512"}) for server in SERVERS if server != "a1111"),
    ("a1111", A_SIZE, {"width": 768, "height": 512}),
    # negative_prompt; the tag of stable-diffusion.cpp is looked at below
    ("localai", {"negative_prompt": "dogs"}, {"prompt": "A cat|dogs"}),
    ("vllm-omni", {"negative_prompt": "dogs"}, {"negative_prompt": "dogs"}),
    ("sglang", {"negative_prompt": "dogs"}, {"negative_prompt": "dogs"}),
    ("a1111", {"negative_prompt": "dogs"}, {"negative_prompt": "dogs"}),
    # seed
    *((server, {"seed": 7}, {"seed": 7}) for server in ("localai", "vllm-omni", "sglang", "a1111")),
    ("a1111", {}, {"seed": -1}),
    # steps, guidance: constants of the profile
    ("a1111", {}, {"steps": 25, "cfg_scale": 7.0}),
    # model
    *((server, {}, {"model": MODEL}) for server in ("localai", "vllm-omni", "sglang")),
    ("llama-swap", {}, {"model": MODEL}),
    # response_format
    *(
        (server, {}, {"response_format": "b64_json"})
        for server in ("localai", "vllm-omni", "sglang")
    ),
    ("a1111", {}, {"send_images": True, "save_images": False}),
]


@each(("server", "fields", "expected"), ROWS)
def test_a_field_arrives_as_the_table_says(
    server: str, fields: dict[str, Any], expected: dict[str, Any]
) -> None:
    body = received(server, **fields)

    assert {name: body.get(name) for name in expected} == expected


@each("server", OF_SD)
def test_the_server_of_stable_diffusion_cpp_gets_the_rest_in_its_prompt(server: str) -> None:
    body = received(server, negative_prompt="dogs", seed=7)

    assert body["prompt"].startswith(f"A cat {TAG}")
    assert extra_args(body["prompt"]) == {"negative_prompt": "dogs", "seed": 7}
    assert not {"negative_prompt", "seed"} & body.keys()


def test_a_server_of_one_model_gets_no_name() -> None:
    body = received("sd-server")

    assert body == {"prompt": "A cat", "n": 1}


def test_the_web_ui_gets_the_model_as_a_setting_for_one_call() -> None:
    settings = received("a1111")["override_settings"]

    assert settings == {
        "return_grid": False,
        "samples_format": "png",
        "sd_model_checkpoint": MODEL,
    }


@each("server", [*OF_SD, "vllm-omni", "sglang"])
def test_pictures_are_edited_in_a_form(server: str) -> None:
    [one] = captured(server, references=(square("a"), square("b")), n=1)

    assert one.request.path == "/v1/images/edits"
    assert one.files == [("image[]", stored("a")), ("image[]", stored("b"))]
    assert one.fields["n"] == "1"


@each("server", OF_SD)
def test_a_mask_comes_with_the_picture(server: str) -> None:
    [one] = captured(server, references=(square("a"),), mask=square("m"), is_edit=True)

    assert one.files == [("image", stored("a")), ("mask", stored("m"))]


def test_localai_gets_references_as_base64() -> None:
    [one] = captured("localai", references=(square("a"), square("b")))

    assert one.request.path == "/v1/images/generations"
    sent = [base64.b64decode(text) for text in one.fields["ref_images"]]
    assert sent == [stored("a"), stored("b")]


def test_localai_paints_a_masked_picture_elsewhere_and_one_by_one() -> None:
    both = captured("localai", references=(square("a"),), mask=square("m"), is_edit=True, n=2)

    assert [one.request.path for one in both] == ["/v1/images/inpainting"] * 2
    assert both[0].files == [("image", stored("a")), ("mask", stored("m"))]


def test_the_web_ui_starts_from_a_picture() -> None:
    [one] = captured("a1111", references=(square("a"),), mask=square("m"), is_edit=True)

    assert one.request.path == "/sdapi/v1/img2img"
    assert base64.b64decode(one.fields["init_images"][0]) == stored("a")
    assert base64.b64decode(one.fields["mask"]) == stored("m")
    assert one.fields["inpainting_mask_invert"] == 1
    assert one.fields["denoising_strength"] == 0.75


@each("server", ["vllm-omni", "sglang"])
def test_a_mask_is_refused_where_it_would_be_ignored(server: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        captured(server, references=(square("a"),), mask=square("m"), is_edit=True)

    assert refused.value.reason == "not_supported"
    assert refused.value.fields[0].field == "mask"


FILTERED = [
    ("sd-server", 'A cat <sd_cpp_extra_args>{"seed":1}</sd_cpp_extra_args>', "A cat"),
    ("llama-swap", "A <sd_cpp_extra_args>cat", "A cat"),
    ("localai", "A cat | dogs", "A cat, dogs"),
    ("vllm-omni", "A cat | (dogs) __x__", "A cat | (dogs) __x__"),
    ("sglang", "A cat <lora:x:1>", "A cat <lora:x:1>"),
    ("a1111", "A cat <lora:evil:1> __file__ (big:1.4)", "A cat  file \\(big:1.4\\)"),
]


@each(("server", "prompt", "expected"), FILTERED)
def test_commands_in_a_prompt_reach_no_server(server: str, prompt: str, expected: str) -> None:
    [one] = captured(server, prompt)

    assert one.fields["prompt"] == expected


def test_a_caller_cannot_leave_the_tag_that_we_write() -> None:
    evil = 'dogs</sd_cpp_extra_args><sd_cpp_extra_args>{"steps":999}</sd_cpp_extra_args>'

    prompt = received("sd-server", negative_prompt=evil)["prompt"]

    assert prompt.count("sd_cpp_extra_args") == 2
    assert extra_args(prompt) == {"negative_prompt": "dogs"}


def test_what_the_profile_says_of_steps_is_in_the_tag() -> None:
    constants = {"sample_params": {"sample_steps": 28}}
    model = replace(PROFILES["sd-server"].models["*"], constants=constants)
    profile = replace(PROFILES["sd-server"], models={"*": model})

    with ImageVendor("sd-server") as vendor, painter_of(profile, vendor.url) as painter:
        painter.paint(painter.fit())
        [sent] = vendor.creates

    assert extra_args(sent.json["prompt"]) == constants
    assert "sample_params" not in sent.json


def test_each_part_of_several_has_the_next_seed() -> None:
    both = captured("localai", references=(square("a"),), n=2, seed=7)

    assert [one.fields["seed"] for one in both] == [7, 8]
