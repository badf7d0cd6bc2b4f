"""Every shot gets exactly one move of the camera."""

from llm_api.services.prompts.storyboards.camera_moves import MOVES, moves_in, with_one_move
from tests.support.tables import each


@each(("move", "language"), [(move, language) for move in MOVES for language in ("en", "zh")])
def test_the_words_for_a_move_are_read_as_that_move(move: str, language: str) -> None:
    assert list(moves_in(MOVES[move][language])) == [move]


@each(
    ("text", "expected"),
    [
        ("The camera pans left, then zooms in on the boat.", ["pan left", "zoom in"]),
        ("A slow push in, then orbit.", ["zoom in", "orbit"]),
        ("The camera follows Mara through the gate.", ["track"]),
        ("Wide static shot, slow zoom out.", ["static", "zoom out"]),
        ("The camera orbits clockwise around the tower.", ["orbit"]),
        ("Dolly zoom on his face.", ["hitchcock"]),
        ('He shouts "zoom in, pan left!"', []),
        ("The bear tilts its head up.", []),
        ("Mara pulls back the curtain.", []),
        ("She moves closer to the boat.", []),
        ("镜头缓缓推近，然后环绕人物。", ["zoom in", "orbit"]),
        ("镜头向左摇，接着拉远。", ["pan left", "zoom out"]),
        ("手持镜头跟随她跑过集市。", ["handheld"]),
        ("他把箱子固定在车顶上。", []),
        ("小明推开门，拉开窗帘。", []),
    ],
)
def test_moves_are_found_in_their_order(text: str, expected: list[str]) -> None:
    assert list(moves_in(text)) == expected


@each(
    ("text", "wanted", "expected", "move"),
    [
        ("A fox runs.", None, "A fox runs. Static camera.", "static"),
        ("A fox runs.", "pan left", "A fox runs. The camera pans left.", "pan left"),
        ("狐狸在雪中奔跑。", "zoom in", "狐狸在雪中奔跑。镜头推近。", "zoom in"),
        ("狐狸在雪中奔跑", None, "狐狸在雪中奔跑。固定镜头。", "static"),
        ("Tracking shot of a fox.", None, "Tracking shot of a fox.", "track"),
        (
            "A fox runs. The camera pans left and tilts up.",
            None,
            "A fox runs. The camera pans left.",
            "pan left",
        ),
        (
            "A fox runs while the camera pans left.",
            "zoom in",
            "A fox runs. The camera pushes in.",
            "zoom in",
        ),
        ("The camera pans left, then zooms in.", "orbit", "The camera pans left.", "pan left"),
        ("镜头向左摇，接着拉远。", None, "镜头向左摇。", "pan left"),
        ("猫跳上桌子，镜头环绕。镜头推近。", "zoom in", "猫跳上桌子。镜头推近。", "zoom in"),
        ("Un zorro corre.", None, "Un zorro corre. Static camera.", "static"),
    ],
)
def test_a_text_keeps_one_move_or_gets_it(
    text: str, wanted: str | None, expected: str, move: str
) -> None:
    language = "zh" if "镜" in expected else "en"

    made, chosen, _ = with_one_move(text, wanted, language)

    assert (made, chosen) == (expected, move)
    assert list(moves_in(made)) == [move]
