"""The prompt is found in whatever a model wrote."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_api.services.prompts.strategies.reply_parser import MAX_REPLY_CHARS, find_prompts

CAT = "A cat on a sill, soft light"
STRICT = json.dumps({"optimized_prompt": CAT})

FOUND = {
    "strict": STRICT,
    "strict with space around": f"\n  {STRICT}\n",
    "another name for it": json.dumps({"prompt": CAT}),
    "answered before": f"The user wants a cat.</think>{STRICT}",
    "a note after it": f"{CAT}\n\nNote: I added light.",
    "talk after it": f"{CAT}\n\nLet me know if you want more.",
    "chinese note after it": f"{CAT}\n\n说明：补充了光线。",
    "escape sequences": f"\x1b[1m{CAT}\x1b[0m",
    "hidden letters": CAT.replace(" ", "\u200b "),
    "more keys": json.dumps({"notes": "x", "optimized_prompt": CAT}),
    "fenced": f"```json\n{STRICT}\n```",
    "fenced without a language": f"```\n{STRICT}\n```",
    "fenced in prose": f"Here you are:\n```json\n{STRICT}\n```\nEnjoy!",
    "fenced plain text": f"```\n{CAT}\n```",
    "in prose": f"Sure! {STRICT} Hope this helps.",
    "second object in prose": f'Settings {{"a": 1}} and {STRICT}',
    "in a list": f"[{STRICT}]",
    "trailing comma": f'{{"optimized_prompt": "{CAT}",}}',
    "single quotes": f"{{'optimized_prompt': '{CAT}'}}",
    "unclosed": f'{{"optimized_prompt": "{CAT}"',
    "cut in the string": f'{{"optimized_prompt": "{CAT}',
    "unquoted key": f'{{optimized_prompt: "{CAT}"}}',
    "answer tag": f"<answer>{CAT}</answer>",
    "prompt tag": f"Text before <prompt>\n{CAT}\n</prompt> and after",
    "named tag": f"<optimized_prompt>{CAT}</optimized_prompt>",
    "think block": f"<think>The user wants {{}} a cat.</think>{STRICT}",
    "thinking block": f"<thinking>Hm.\nWell.</thinking>\n\n{CAT}",
    "think block in capitals": f"<THINK>Hm.</THINK>{CAT}",
    "object in a think block": f'<think>{{"optimized_prompt": "a draft"}}</think>{STRICT}',
    "plain": CAT,
    "plain over lines": "A cat\non a sill,\n\n  soft light",
    "in double quotes": f'"{CAT}"',
    "in single quotes": f"'{CAT}'",
    "in curly quotes": f"“{CAT}”",
    "in corner brackets": f"「{CAT}」",
    "sure": f"Sure! {CAT}",
    "here is": f"Here is the optimized prompt: {CAT}",
    "here's": f"Here's your rewritten prompt:\n\n{CAT}",
    "here’s": f"Here’s your rewritten prompt:\n\n{CAT}",
    "certainly": f"Certainly, here it is: {CAT}",
    "of course": f"Of course! {CAT}",
    "label": f"Optimized prompt: {CAT}",
    "bold label": f"**Optimized prompt:** {CAT}",
    "heading": f"# Optimized prompt:\n{CAT}",
    "bold": f"**{CAT}**",
    "bullet": f"- {CAT}",
    "code": f"`{CAT}`",
    "chinese preamble": f"好的，{CAT}",
    "chinese label": f"以下是优化后的提示词：{CAT}",
    "chinese label after a preamble": f"优化后的提示词：\n{CAT}",
    "preamble inside json": json.dumps({"optimized_prompt": f"Here is the prompt: {CAT}"}),
    "gpt-oss, its marks stripped": f"analysisWe need JSON.assistantfinal{CAT}",
    "gpt-oss": (
        "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>final<|message|>"
        f"{CAT}<|return|>"
    ),
    "gpt-oss in json": f"<|channel|>final <|constrain|>json<|message|>{STRICT}<|end|>",
    "deepseek's end": f"{CAT}<｜end▁of▁sentence｜>",
    "deepseek's end inside json": json.dumps({"prompt": f"{CAT}<｜end▁of▁sentence｜>"}),
    "another turn after it": f"{CAT}<|im_end|>\n<|im_start|>user\nA dog",
    "llama's head": f"<|start_header_id|>assistant<|end_header_id|>\n\n{CAT}<|eot_id|>",
    "gemma's turn": f"<start_of_turn>model\n{CAT}<end_of_turn>",
    "magistral's thoughts": f"[THINK]A cat, hm.[/THINK]{CAT}</s>",
    "kimi's thoughts": f"◁think▷A cat, hm.◁/think▷{CAT}",
    "seed's thoughts": f"<seed:think>A cat, hm.</seed:think>{CAT}<seed:eos>",
    "command's thoughts": (
        f"<|START_THINKING|>Hm.<|END_THINKING|><|START_RESPONSE|>{CAT}<|END_RESPONSE|>"
    ),
    "granite's thoughts": f"Here is my thought process: a cat. Here is my response: {CAT}",
    "exaone's thoughts": f"<thought>\nHm.\n</thought>\n\n{CAT}",
    "glm's box": f"<|begin_of_box|>{CAT}<|end_of_box|>",
    "medgemma's thoughts": f"<unused94>thought\nHm.<unused95>{CAT}",
    "why behind it": f"**Enhanced Prompt:**\n\n{CAT}\n\n**Why this works:** light adds mood.",
    "a rule and talk behind it": f"{CAT}\n\n---\n\nThe cat is kept.",
    "key improvements": f"{CAT}\n\n### Key improvements\n- light",
    "rationale": f"{CAT}\n\nRationale: light adds mood.",
    "question": f"{CAT}\n\nWould you like me to change the light?",
    "what was added": f"{CAT}\n\nI've added soft light.",
    "what it does": f"{CAT}\nThis version emphasizes the light.",
    "granite's answer after a backslash": f"Hm \\ HERE IS MY RESPONSE: {CAT}",
    "an aside": f"{CAT} (Note: I added light.)",
    "chinese reason": f"{CAT}\n\n优化思路：补充了光线。",
    "chinese why": f"{CAT}\n\n**为什么这样写：** 光线更柔和。",
    "chinese talk": f"{CAT}\n\n这个版本增加了光线。",
    "chinese offer": f"{CAT}\n\n需要我再调整吗？",
    "sentence that is a label": f"Sure!\nThe rewritten prompt:\n{CAT}",
    "chinese label on its line": f"好的\n提示词：{CAT}",
    "preamble and quotes": f'Here is the optimized prompt: "{CAT}"',
}


@pytest.mark.parametrize("name", FOUND)
def test_the_prompt_is_found(name: str) -> None:
    assert find_prompts(FOUND[name]) == [CAT]


NONE = {
    "nothing": "",
    "space": " \n ",
    "empty prompt": '{"optimized_prompt": ""}',
    "other key": '{"text": "A cat"}',
    "other key, fenced": '```json\n{"text": "A cat"}\n```',
    "other key, in prose": 'Here is the optimized prompt: {"text": "A cat"}',
    "empty object": "{}",
    "no string": '{"optimized_prompt": 7}',
    "null": '{"optimized_prompt": null}',
    "list of numbers": '{"optimized_prompt": [1, 2]}',
    "only thinking": "<think>The user wants a cat, so",
    "thinking that ended": "<think>The user wants a cat.</think>",
    "only thoughts of gpt-oss": "analysisThe user wants a cat, so",
    "only a channel of thoughts": "<|channel|>analysis<|message|>The user wants",
    "only thoughts of kimi": "◁think▷The user wants",
    "only an end": "<|im_end|>",
    "broken object": '{"improvements": [',
}


@pytest.mark.parametrize("name", NONE)
def test_where_there_is_no_prompt_none_is_found(name: str) -> None:
    assert find_prompts(NONE[name]) == []


def test_several_prompts_are_found_once_each() -> None:
    reply = json.dumps({"optimized_prompts": [CAT, "A cat, wide shot", CAT, 7, ""]})

    assert find_prompts(reply) == [CAT, "A cat, wide shot"]


def test_a_reply_of_many_pages_is_not_searched() -> None:
    assert find_prompts("A cat. " * (MAX_REPLY_CHARS // 7 + 1)) == []


KEPT = [
    'A sign that says "OPEN" above a door',
    '"OPEN" on a sign, and below it "24 hours"',
    "A box of {braces} on a desk",
    "Sure-footed mountain goat on a cliff. Morning light",
    "An okay sign: a hand against the sky",
    "A 3 * 4 grid of stones",
    "穿着汉服的女孩，站在桥上，晨光",
    "A robot's hand holding 'a rose'",
    "Analysis of a chess game, an assistant, final seconds on the clock",
    "Why not: a door that says why, key light from the left",
    "a cat <lora:detail:0.8>, [cow|horse], ((soft light)), A < B",
]


@pytest.mark.parametrize("prompt", KEPT)
def test_a_prompt_is_left_as_it_is(prompt: str) -> None:
    assert find_prompts(json.dumps({"optimized_prompt": prompt})) == [prompt]


def test_underscores_of_a_wildcard_are_no_markdown() -> None:
    reply = "A __color__ cat on a __wooden__ sill, __soft light__"

    assert find_prompts(reply, ["__color__"]) == ["A __color__ cat on a wooden sill, soft light"]


def test_a_reply_may_begin_with_prompt_syntax() -> None:
    assert find_prompts("{red|green} silk", ["{red|green}"]) == ["{red|green} silk"]


def test_shots_on_lines_of_their_own_are_all_of_the_prompt() -> None:
    shots = "A cat on a sill.\nCamera: slow push-in.\nLighting: soft.\nIts eyes close."

    assert find_prompts(shots) == [" ".join(shots.split())]


def test_braces_inside_the_prompt_do_not_end_it() -> None:
    prompt = "A neon sign: {hello}, and a } alone"

    found = find_prompts(f"Sure: {json.dumps({'optimized_prompt': prompt})} Enjoy.")

    assert found == [prompt]


@pytest.mark.parametrize(
    "reply",
    ["[" * 5_000, "{" * 5_000, '{"a":' * 1_500, '{"optimized_prompt":' * 1_500, "```" * 2_000],
    ids=["lists", "braces", "objects", "keys", "fences"],
)
def test_deep_nesting_is_no_crash(reply: str) -> None:
    assert len(find_prompts(reply)) <= 1


@given(st.text(st.characters(codec="utf-8"), max_size=200))
def test_any_reply_gives_one_paragraph(reply: str) -> None:
    found = find_prompts(reply)

    assert all(one and one == " ".join(one.split()) for one in found)


@given(st.from_regex(r"\A[A-Za-z][a-z ]{0,60}[a-z]\Z"))
def test_a_plain_prompt_in_json_comes_back(prompt: str) -> None:
    expected = " ".join(prompt.split())

    assert find_prompts(json.dumps({"optimized_prompt": expected})) == [expected]


# What a model says behind a prompt, and the marks and thoughts around one.
COMMENTS = [
    "\n\nWhy this works: soft light.",
    "\n\n**Explanation:** I added light.",
    "\n\nNote: I kept the cat.",
    "\n\n*Changes made:*\n- light\n- depth",
    "\n\n### What changed\n1. light",
    "\n\nWould you like me to adjust the style?",
    "\n\nLet me know if you'd like tweaks!",
    "\n\nI added window light to give mood.",
    "\n\nThis prompt emphasizes mood and light.",
    "\n\n---\nFeel free to modify.",
    "\n\nKey improvements:\n* Lighting",
    "\n\n(This adds detail while keeping the original idea.)",
    "\n\nHope that helps!",
    "\n\nThe added lighting makes the scene cozy.",
    "\n\nBy specifying the window light, the model can render mood.",
    "\n\nReasoning: light matters.",
    "\n\nThe reason for these changes is clarity.",
    "\n\nDesign notes: soft light.",
    "\n\nAlternatively, you could try a dog.",
    "\n\nIf you want, I can also make a video version.",
    "\n\nHere's why: light.",
    "\n\nHere is what I changed: light.",
    "\n\nThese additions create atmosphere.",
    "\n\n**Tips for use:** use 50 steps.",
    "\n\n> Note: works with SDXL",
    "\n\n✨ Enjoy your image!",
    "\n\nWord count: 25",
    "\n\nIs there anything else you'd like?",
    "\n\nPlease let me know whether this suits you.",
    "\n\nDoes this match your vision?",
    "\n\nRationale — light adds depth.",
    "\n\nAdditional suggestions: try blue.",
    "\n\nTo make it more dramatic, add rain.",
    "\n\nIn this version, I focused on light.",
    "\n\nMy goal was to keep it simple.",
    " (Note: I kept the cat as requested.)",
    " [Explanation: added light]",
    " — I added lighting for mood.",
    "\t-\ti\u2019ve kept the cat.",
    " – \u0131 added lighting.",
    "（注：保留了猫）",
    " 【备注：光线】",
    "\n\nAdded: window light, depth of field.",
    "\n\nWhat do you think?",
    "\n\nTranslation: 一只猫",
    "\n\n*I hope this captures your vision!*",
    "\n\nOriginal: A cat sitting on a chair",
    "\n\nThat should produce a cozy picture.",
    "\n\nIt now includes lighting and depth.",
    "\n\nWant a darker mood? Just say so.",
]
CHINESE_COMMENTS = [
    "\n\n说明：增加了光线。",
    "\n\n注：保留了主体。",
    "\n\n为什么这样写：光线更好。",
    "\n\n优化说明：\n1. 光线",
    "\n\n我添加了光线描述。",
    "\n\n需要我再调整吗？",
    "\n\n希望这个提示词对你有帮助！",
    "\n\n如果需要其他风格，请告诉我。",
    "\n\n这个版本突出了光影。",
    "\n\n**修改理由**：光线",
    "\n\n【优化思路】光线更柔和",
    "\n\n（注：已保留原意）",
    "（说明：增加了光线细节）",
    "\n\n关键改进：\n- 光线",
    "\n\n以上提示词增加了细节。",
    "\n\n您可以根据需要修改。",
    "\n\n补充了光线和构图，使画面更有层次。",
    "\n\n新增了光线与构图细节。",
    "\n\n通过加入光线，画面更有氛围。",
    "\n\n这样可以让画面更温馨。",
    "\n\n解读：光线代表温暖。",
    "\n\n改写要点如下：\n一、光线",
    "\n\n是否需要英文版？",
    "\n\n还需要其他风格吗？",
    "\n\n要我再生成一个版本吗？",
    "\n\n欢迎继续提出修改意见。",
    "\n\n祝创作愉快！",
    "\n\n使用建议：步数30",
    "\n\n小贴士：可以加上镜头",
    "\n\n※ 备注：适用于SDXL",
    "\n\n字数：30",
    "\n\n其中，光线部分强化了氛围。",
    "\n\n如需调整请随时告知。",
    "\n\n对比原文，增加了光线。",
    "\n\n* 光线：增加了柔和感",
    "\n\n主要变化：光线",
    "\n\n为您提供另一个版本：一只狗",
]
MARKED = [
    "<think>\nThe user wants a cat.\n</think>\n\n{}",
    "Okay, the user wants…\n</think>\n{}",
    "<thought>\nhm\n</thought>{}",
    "<|channel|>analysis<|message|>A<|end|><|start|>assistant<|channel|>final<|message|>{}<|end|>",
    "<|channel>thought\nthe user...<channel|>{}",
    "<unused94>thought\nabc<unused95>{}",
    "[THINK]abc[/THINK]{}",
    "◁think▷abc◁/think▷{}",
    "<seed:think>abc</seed:think>{}",
    "<|START_THINKING|>a<|END_THINKING|><|START_RESPONSE|>{}<|END_RESPONSE|>",
    "<reasoning>abc</reasoning>\n<answer>{}</answer>",
    "<thinking>abc</thinking>\n{}",
    "<|begin_of_thought|>abc<|end_of_thought|>\n<|begin_of_solution|>{}<|end_of_solution|>",
    "<|im_start|>assistant\n{}<|im_end|>",
    "{}<end_of_turn>",
    "{}<eos>",
    "{}</s>",
    "{}<|eot_id|>",
    "{}<|endoftext|>",
    "{}<｜end▁of▁sentence｜>",
    "{}<|end_of_text|>",
    "{}<turn|>",
    "{}[EOS]",
    "{}<|im_end|>\n<|im_start|>user\nthanks",
    "{}<|observation|>",
    "{}<|user|>\nmore",
    "{}[e~[",
    "]~b]ai\n{}[e~[",
    "<|begin_of_box|>{}<|end_of_box|>",
    "<|assistant|>\n{}",
    "assistant\n{}",
    "<|start_header_id|>assistant<|end_header_id|>\n\n{}",
    "<|start|>assistant<|channel|>final<|message|>{}",
    "commentary to=none\nassistantfinal{}",
    "analysis\nWe need to write.\nassistant\nfinal\n{}",
    "**Thinking:** The user wants…\n\n**Final Prompt:** {}",
    "Thinking Process:\n1. analyze\n2. write\n\nFinal answer:\n{}",
    "Reasoning: user wants cat.\nAnswer: {}",
    "Let me think about it.\n\nPrompt: {}",
    "<details><summary>Thoughts</summary>abc</details>\n{}",
    "<|thinking|>abc<|/thinking|>{}",
    "<inner_monologue>abc</inner_monologue>{}",
    "<longcat_think>abc</longcat_think>{}",
    "<mm:think>abc</mm:think>{}",
    "<think_fast>abc</think_fast>{}",
    "<ernie_think>a</ernie_think><response>{}</response>",
    '<think>\n\n</think>\n\n{"optimized_prompt": "{}"}',
    "\\boxed{{}}",
    "<|box_start|>{}<|box_end|>",
    "<思考>abc</思考>{}",
    "<output>{}</output>",
    "```\n{}\n```",
    "<think>a</think>{}<think>b</think>",
    "{}<0x0A>",
    "{} <|fim_pad|>",
    "<bos>{}",
]
LONG = "A cat sitting on a wooden chair, soft daylight from a window on the left."
CHINESE = "一只猫坐在木椅上，柔和的日光从左侧窗户照进来。"
SEVERAL_LINES = [
    "A cat on a chair.\n\nThe added warmth of the lamp fills the room.",
    "Subject: a cat on a chair.\nStyle: oil painting.\nLighting: soft.",
    'A poster.\nThe text says "What do you think?" in bold.',
    'A sign that reads "I love you".\nNeon glow in the rain.',
    "一只猫坐在木椅上。\n光线增加了画面的层次感。",
    "一只猫。\n牌子上写着“欢迎光临，我的朋友”。",
    "A prompt box on the desk.\nWarm tungsten light.",
]


@pytest.mark.parametrize("comment", COMMENTS)
def test_what_is_said_behind_a_prompt_is_none_of_it(comment: str) -> None:
    assert find_prompts(LONG + comment) == [LONG]


@pytest.mark.parametrize("comment", CHINESE_COMMENTS)
def test_what_is_said_in_chinese_behind_a_prompt_is_none_of_it(comment: str) -> None:
    assert find_prompts(CHINESE + comment) == [CHINESE]


@pytest.mark.parametrize("reply", MARKED)
def test_thoughts_and_marks_around_a_prompt_are_none_of_it(reply: str) -> None:
    assert find_prompts(reply.replace("{}", LONG)) == [LONG]


@pytest.mark.parametrize("text", SEVERAL_LINES)
def test_a_prompt_of_several_lines_is_whole(text: str) -> None:
    [found] = find_prompts(text)

    assert found.replace(" ", "") == "".join(text.split())


@pytest.mark.parametrize(
    "text",
    [
        "Thinking man statue, bronze.",
        "A model on a runway.",
        "思考者雕塑，青铜材质。",
        "Reasoning: a mural.",
    ],
)
def test_a_prompt_may_speak_of_thinking(text: str) -> None:
    assert find_prompts(text) == [text]


SIGNS = ["A cat", '"Open"', "\\", "\n", "<|im_end|>", "<think>", "</think>", "[/INST]", "]~b]", "é"]
SIGNS += [
    "\\boxed{",
    "}",
    "analysis",
    "Here is my response:",
    "assistantfinal",
    "Thinking:",
    "model",
]


@given(text=st.lists(st.sampled_from(SIGNS), max_size=6).map(" ".join), is_ascii=st.booleans())
def test_a_reply_of_json_is_read_as_if_space_stood_before_it(text: str, *, is_ascii: bool) -> None:
    reply = json.dumps({"optimized_prompt": text}, ensure_ascii=is_ascii)

    assert find_prompts(reply) == find_prompts(f" {reply}")


@pytest.mark.parametrize("mark", ["<|im_end|>", "[/INST]", "]~b]"])
def test_a_mark_within_the_text_of_json_ends_it(mark: str) -> None:
    reply = json.dumps({"optimized_prompt": f'A cat beside a "Sale" sign. {mark} user'})

    assert find_prompts(reply) == ['A cat beside a "Sale" sign.']


HOSTILE = {
    "gaps": "a" + "\n" * 23_000 + "}",
    "brackets": "[abcd] " * 3_300 + "[/x]",
    "open brackets": "[[" * 11_000 + "[/",
    "arguments": "<arg name=prompt>" * 1_300 + "</x",
    "fences": "```think\n" * 2_400,
    "marks of quotations": "> thinking\n" * 2_000,
    "options": "Style 1: a\n" * 2_000,
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_long_reply_is_read_in_steps_that_do_not_multiply(kind: str) -> None:
    """No pattern may take minutes; without an end the test would be ended by its time limit."""
    assert all(len(text) <= len(HOSTILE[kind]) for text in find_prompts(HOSTILE[kind]))
