# ruff: noqa: RUF001 - the characters are those that cards contain
"""Lines that give a value rather than a sentence, and whether they state use.

"- Method: LoRA", "| Adapter | QLoRA |"           use
"LoRA rank: 16", "lora_alpha = 32"                use
"- Supported methods: LoRA", "Compare: LoRA"      not use
"""

from __future__ import annotations

import re

from hubstats.detect.context import ADVICE, ADVICE_ELSEWHERE, Context, advised

_KEY = re.compile(
    r"(?:^|[|(,;])[^\w|(,;]{0,12}\d{0,3}[^\w|(,;]{0,12}"
    r"(?P<key>[\w][\w \-/()&]{1,48}?)\s*[:=|：]+\s*(?P<value>[^|;]{0,60})$"
)
_KEY_OF_USE = re.compile(
    r"method|technique|adapter|fine-?tun|finetun|train|type|approach|peft|strategy|algorithm|tuning"
    r"|optimi[sz]ation|model|\bllm\b|\bvlm\b|decoder|encoder|backbone|solution|\bstage\b|\bphase\b"
    r"|quantization|recipe|procedure|architecture|configuration|config|format|framework|variant|precision"
    r"|process|setup"
    r"|微调|微調|训练|訓練|方法|方式|策略|技术|技術|算法|适配器|適配器|量化|学習|學習|手法|アダプタ|チューニング"
    r"|학습|방법|방식|기법|어댑터|método|metodo|méthode|técnica|tecnica|verfahren|метод|обучени"
)
_KEY_OF_OTHERS = re.compile(
    r"support|compatib|option|alternativ|compar|related|paper|cit|reference|see|baseline|future|todo|note"
    r"|支持|支援|对比|對比|比较|比較|参考|參考|相关|相關|兼容|可选|可選|未来|未來|计划|対応|関連|지원|비교|참고"
)
_TELLS_TO = re.compile(r"\W*(?:modify|set|change|adjust|edit|configure|choose|specify|select|enable|pick|toggle)\b")
_NAMED_PART = (
    r"(?:adapters?|weights|(?:hyper-?)?param(?:eter)?s?|config(?:uration)?|settings|fine-?tuning|training|matrix|the)"
)
_VALUE_AFTER = re.compile(
    rf"^[\s\-_]*{_NAMED_PART}?[\s\-_]*[(]?"
    r"(?:rank|alpha|dropout|r|α|target modules?|targets?|modules?|layers?|scal\w+|bias|learning rate)?"
    r"\b[^\w\n]{0,8}(?:\(?(?:r|rank|alpha|α)\s*)?[:=|][\s|*]*(?:[\d\[{(\"'`q]|(?:rank|alpha|r)\s*[=:])"
    rf"|^[\s\-_]*{_NAMED_PART}?\s*[(,]\s*(?:with\s+)?(?:r|rank|alpha|α|\d+-?bit)\b\s*[=:]?\s*\d*"
    r"|^[\s\-_]*(?:rank|alpha|dropout)s?\s*(?:of\s*|=\s*|:\s*|is\s*)?\d"
    r"|^[\s\-_]*(?:adapter )?(?:(?:hyper-?)?parameters|config(?:uration)?|settings)\s*:\s*$"
    r"|^\s?[:=|][\s|]{0,4}(?:yes|true|enabled|on)[\s|.]*$"
    r"|^[\s)]{0,2}[:=]\s?[(]?(?:lora[_ ])?(?:r|rank|alpha)\s?[=:]\s?\d"
    r"|^(?:\s[(][^()]{0,40}[)])?\s[(]?(?:with |at )?(?:an? )?(?:lora[_ ])?(?:rank|r)\s?(?:of |=|:)?\s?\d"
    r"|^[)]?[\s,]{1,2}(?:with |using |of )?(?:an? )?\d+ (?:soft |virtual |prompt |prefix |learned )?tokens\b"
    r"|^[)]?,? (?:prefix |prompt )?length (?:of )?\d"
    r"|^[)]?\s?[:=]\s?\d[\d.,]*\s?(?:[kmb%]|million|billion)\b"
)
_PARAMETER = re.compile(r"lora_(?:r|rank|alpha|dropout|target_modules|scale)")
_SET_TO = re.compile(r"^[\s|]{0,3}[:=|][\s|]{0,4}[(\['\"]?(?:\d|[a-z]_proj|all-linear)")
"""`- lora_r: 16`"""
_PART_BEFORE = re.compile(r"\b(?:rank|alpha) of (?:the )?$")
_DASHED = re.compile(
    r"^\W*(?:fine-?tuning |finetuning |training |peft )?(?:method|technique|strategy|approach|type|fine-?tuning"
    r"|adapter)s?"
    r"(?: used)? [-\u2013\u2014]{1,2} $"
)
"""`Fine-tuning strategy - LoRA`"""
_HEADS = re.compile(r"^[\s\-]*(?:adapters?\s*)?(?:config|hyper|param|setting|detail|specific|architecture)")


def as_value(context: Context) -> bool | None:
    """For `Method: LoRA` and `LoRA rank: 16`: whether the line states use; None when it is no such line."""
    if context.cells > 2:
        return None
    key = _KEY.search(context.before)
    if key is not None:
        if _KEY_OF_OTHERS.search(key["key"]) or _TELLS_TO.match(key["value"]):
            return False
        if _KEY_OF_USE.search(key["key"]) and not ADVICE.search(key["value"]):
            return not ADVICE_ELSEWHERE.search(key["value"])
    if _DASHED.search(context.before):
        return True
    return not advised(context) if is_setting(context) else None


def is_setting(context: Context) -> bool:
    """True for a number that belongs to the technique: `LoRA rank: 16`, `lora_alpha = 32`."""
    return (
        _VALUE_AFTER.search(context.after) is not None
        or (_PARAMETER.fullmatch(context.name) is not None and _SET_TO.search(context.after) is not None)
        or (
            _PART_BEFORE.search(context.before) is not None
            and re.match(r"\s?[:=|][\s|]{0,3}\d", context.after) is not None
        )
    )


def heads_settings(context: Context) -> bool:
    """True for a heading such as `LoRA configuration`."""
    return not context.before.strip(" #>-:") and _HEADS.search(context.after) is not None
