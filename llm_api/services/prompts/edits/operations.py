"""The words by which an instruction keeps, denies, removes or makes something."""

import re
from enum import StrEnum

_VERBS = (
    "change changes changing changed make makes making turn turns turning turned convert converting"
    " transform transforming replace replaces replacing replaced swap swapping switch switching"
    " substitute recolor recolour recoloring repaint repainting move moving moved rotate rotating"
    " resize enlarge shrink reduce brighten darken lighten blur sharpen extend expand outpaint"
    " restyle redraw adjust modify edit alter update give giving colorize colourise restore retouch"
    " straighten rename rewrite desaturate saturate shorten lengthen stretch merge combine relight"
    " upscale denoise isolate add adds adding added put puts putting insert inserting attach draw"
    " drawing overlay introduce append center centre enhance"
)
# These are things or qualities as well: they are verbs where a clause begins with them.
_OPENING_VERBS = (
    "color colour paint dye tint set shift flip mirror increase decrease crop zoom apply fix repair"
    " open close raise lower tilt translate write correct smooth whiten trim lift bend use let show"
    " have age fade fill cover melt light place placing include hang stick plant wear dress style"
    " render exchange cut freeze"
)
_UNTOUCHED = (
    r"(?:chang|alter|modif|touch|affect|edit|mov|distort|replac|recolou?r|crop|redraw|adjust|remov"
    r"|delet|eras|disturb|los|hid)\w*"
)
_NOT = r"(?:do(?:es)? not|don't|don’t|never|without|not|no need to|avoid|must not|should not)"
_KEEP = (
    rf"(?:keep(?:ing|s)?|preserv(?:e|es|ing|ed)|retain(?:ing|s|ed)?|maintain(?:ing|s|ed)?"
    rf"|(?:stay|remain)(?:s|ing)?|leav(?:e|es|ing)(?! out)|unchanged|untouched|unaltered"
    rf"|unmodified|intact|as (?:it|they|he|she) (?:is|are|was|were)|as is"
    rf"|{_NOT} (?:\w+ly )?{_UNTOUCHED}"
    r"|(?:with )?no (?:other |further )?(?:changes?|modifications?)(?: to)?"
    r"|except(?: for)?|apart from|aside from|other than"
    r"|mak\w+ no (?:other |further )?changes?(?: to)?|chang\w+ nothing(?: else)?|nothing else)"
)
_DENY = (
    rf"(?:{_NOT} (?:add|includ|introduc|insert|put|draw|creat|show|generat|writ)\w*|without|free of"
    r"|with no|no(?! longer| need)|not|never|don't|don’t)"
)
_REMOVE = (
    r"(?:remov\w+|delet\w+|eras\w+|get(?:ting)? rid of|eliminat\w+|cut(?:ting)? out"
    r"|(?:lose|ditch)(?= (?:the|his|her|its|that|those|all)\b)"
    r"|tak(?:e|ing)(?= (?:\w+ ){0,4}?(?:out|away|off))|hid(?:e|ing)"
    r"|clear(?:ing)?(?: away| out| up)?"
    r"|wip\w+ (?:out|away)|clean(?:ing)? up|(?:edit|photoshop|crop|leave) out)"
)
_BLEND = (
    r"(?:match(?:es|ing|ed)?|consistent(?:ly)?|blend\w*|seamless\w*|natural(?:ly)?|existing"
    r"|accordingly|realistically)"
)
_START = (
    r"(?:^[\s,，:：—]*(?:(?:and|then|now|also|just|only|instead|please|simply|or|so|to|by|you|can"
    r"|could)\s+)*)"
)
_ANYWHERE, _OPENING = "|".join(_VERBS.split()), "|".join(_OPENING_VERBS.split())
_MAKE = rf"(?:(?:{_ANYWHERE})(?! sure)|(?:{_START})(?:{_OPENING}))"
_HAN_UNTOUCHED = "改变|改动|修改|更改|变动|影响|移动|破坏|触碰|移除|去掉|删除|改|动|变|碰|删|换|裁"
_HAN_KEEP = (
    rf"保持|保留|保住|留着|留下|维持|不变|不动|原样|不受影响|(?:不要?|别|勿|无需|不用|不必|不能|不得)(?:{_HAN_UNTOUCHED})"
    r"|除了|[不勿][做作](?:任何|其他|其它)?(?:改动|修改|更改|改变)"
)
_HAN_DENY = (
    "(?:不要|别|不得|不许)(?:出现|添加|加上|加入|增加|加|有|放|画|含|写)?|不(?:添加|增加|加入|加|含|带|出现)"
    "|没有|无(?!论|法|需)|禁止|避免"
)
_HAN_REMOVE = (
    "去掉|去除|删除|删掉|删去|移除|移走|移掉|擦除|擦掉|抹去|抹掉|抹除|消除|清除|清理掉|拿掉|拿走|除去"
    "|抠掉|摘掉|脱掉|消失|隐藏"
)
_HAN_MAKE = (
    "把|将|改成|改为|改|换成|换上|换|变成|变为|变|替换|调整|调|涂|染|移动|移到|挪|旋转|翻转|放大|缩小|修复"
    "|让|使|添加|增加|加上|加入|加|放|戴|穿|画|写|转换|转|模糊|虚化|提亮|裁剪|扩展|延伸|上色|美化|磨皮"
    "|打开|关上|参考|参照|仿照|按照|绘|贴|给|设为|设成|生成|合成|插入|摆|装|盖|抬|闭|睁"
)
_HAN_BLEND = "匹配|一致|融合|协调|自然"


class Act(StrEnum):
    """What a part of an instruction does with what it names."""

    KEEP = "keep"
    DENY = "deny"
    REMOVE = "remove"
    MAKE = "make"
    BLEND = "blend"


# Of two that begin at the same sign the first counts.
_ACTS = (Act.KEEP, Act.DENY, Act.REMOVE, Act.MAKE, Act.BLEND)
_ENGLISH = {
    act: re.compile(rf"(?:\b|^){words}\b")
    for act, words in zip(_ACTS, (_KEEP, _DENY, _REMOVE, _MAKE, _BLEND), strict=True)
}
_HAN = {
    act: re.compile(words)
    for act, words in zip(
        _ACTS, (_HAN_KEEP, _HAN_DENY, _HAN_REMOVE, _HAN_MAKE, _HAN_BLEND), strict=True
    )
}
# Behind "and" they are verbs where something follows that they do something to.
_OBJECT = (
    r"(?=\s+(?:the|an?|this|that|these|those|it|them|all|every|each|both|one|two|his|her|its|their"
    r"|more|on|up|in|\"))"
)
_VERB = rf"(?:{_KEEP}|{_REMOVE}|{_ANYWHERE}|(?:{_OPENING}){_OBJECT})"
_HAN_VERB = f"(?:{_HAN_KEEP}|{_HAN_DENY}|{_HAN_REMOVE}|{_HAN_MAKE})"
# Where a part ends: at a mark, or before a word that begins another one. A comma of a list ends
# one, too; what follows does the same then.
BREAK = re.compile(
    rf"[,，:：—\n]+|\b(?:while|whilst|but|then|and then|so that)\b|\band (?={_VERB}(?=\W))"
    r"|(?=\b(?:without|with no|except|apart from|aside from|other than|with everything"
    r"|(?<!with )(?<!the )(?<!\ba )(?<!of )matching"
    r"|to match|that match(?:es)?"
    rf"|blend(?:ed|ing)|consistent with)\b)|同时|然后|但是?|并且?(?={_HAN_VERB})|且(?={_HAN_VERB})"
    r"|而(?=不|保)",
    re.IGNORECASE,
)
SENTENCE_END = re.compile(r"(?:[.!?](?=\s|$)|[;；。！？])+")
# These belong to what stands in front of them: "remove everything except the chair".
# What an edit needs besides, wherever something goes or comes.
FITTING = re.compile(
    r"\b(?:fill|blend|restor|reconstruct|inpaint|smooth|match|adjust|ensur|mak\w+ sure|keep)\w*"
    r"|填|融合|修复|还原|调整|匹配"
)
EXCEPTING = re.compile(r"\s*(?:except|apart from|aside from|other than)\b")
# Behind these the list of what is kept is closed.
CLOSING = re.compile(
    r"\b(?:unchanged|untouched|unaltered|unmodified|intact|as is|the same"
    r"|as (?:it|they) (?:is|are|was|were))\b|不变|不动|原样"
)


def operation_in(text: str) -> tuple[Act | None, re.Pattern[str] | None]:
    """Return what a part does, and the pattern of the words that say so; None where none do.

    `text` is in lower case. In English the first word counts; in Chinese, whose verb may stand at
    the end, the strongest.
    """
    for act, pattern in _HAN.items():
        if act is not Act.BLEND and pattern.search(text):
            return act, pattern
    found = [
        (match.start(), order, act)
        for order, (act, pattern) in enumerate(_ENGLISH.items())
        if (match := pattern.search(text))
    ]
    if found:
        strong = [one for one in found if one[2] is not Act.BLEND]
        act = min(strong or found)[2]
        return act, _ENGLISH[act]
    if _HAN[Act.BLEND].search(text):
        return Act.BLEND, _HAN[Act.BLEND]
    return None, None
