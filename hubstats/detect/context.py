# ruff: noqa: RUF001 - the characters are those that cards contain
"""Whether a sentence that names a technique says that it was used here.

    "fine-tuned with LoRA"                 use
    "- **Method:** QLoRA, rank 16"         use
    "can be fine-tuned with LoRA"          not use: advice
    "a full fine-tune, not LoRA"           not use: negation
    "better than LoRA"                     not use: comparison

The rules read the words around the name in the same sentence, within fixed distances.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

BEFORE_CHARS = 240
AFTER_CHARS = 160

_CUT = re.compile(
    r"(?<!\be\.g)(?<!\bi\.e)(?<!\bvs)(?<!\betc)(?<!\bapprox)[.!?](?=[\s*_)\]]|$)|[。！？]|\n[ \t]*\n"
    r"|\n(?=[ \t>]*(?:[-*+#|]|\d+[.)]|\*\*))|<br ?/?>|</?(?:li|p|td|tr|div|h\d)>"
)
_UNTICKED = re.compile(r"(?:[-*+]|\d{1,3}[.)])\s{1,3}\[ ?\]")
_MARKUP = str.maketrans("（），：；", "(),:;", '*`"“”‘’~[]✅✔')
"""What stands around words and says nothing, and the wide forms of the marks that do."""

_NEGATED = re.compile(
    r"(?:\b(?:not|no|never|without|neither|nor|instead of|rather than|unlike|excluding|except|as opposed to"
    r"|in lieu of"
    r"|non|skips?|avoid(?:s|ed|ing)?|disabled?|(?:is|was|are|were|do|does|did|has|have|can|could|wo|would)n['’]?t)\b"
    r"(?! (?:only|just|merely|limited|necessarily|to mention|full))"
    r"|[❌✗✘🚫])[\s\-]*(?:[\w'’\-/]+[\s]+){0,4}[(]?$"
    r"|(?:不|未|没有?|沒有?|无需|無需|并非|並非|而非)(?:再|是|用|使用|采用|採用|通过|透過|经过|經過|基于|基於|进行|進行)?\s*$"
)
_NEGATED_AFTER = re.compile(
    r"^[\s\w\-]{0,20}(?:(?:was|is|were|are)(?: not|n['’]t)\b|(?:adapters? )?not (?:used|applied|supported"
    r"|needed|required)"
    r"|[:=|][\s|]*(?:no\b|none\b|false\b|disabled\b|n/a\b|off\b|not\b|[❌✗✘])|-free\b)"
    r"|^\s*(?:を(?:使わ[ずな]|使用せず|使用し(?:てい)?な|用い[ずな])|(?:를|을)?\s*(?:사용|적용|이용)하지)"
)
_COMPARED = re.compile(
    r"(?:\b(?:than|vs\.?|versus|compared (?:to|with|against)|relative to|outperform(?:s|ed|ing)?|beat(?:s"
    r"|ing)?|surpass\w*"
    r"|over|against|alternatives? to|similar to|like|improv(?:es|ement|ements) (?:on|over|upon)|matches"
    r"|extends|variants? of"
    r"|extension of|inspired by|criticism of|instead|identical (?:[\w\-]+ ){0,3}?(?:to|with)"
    r"|same (?:[\w\-]+ ){0,4}?(?:as|for))[\s\-]+)(?:[\w\-%.]+\s+){0,3}[(]?$"
    r"|(?:相比|对比|對比|优于|優於|超过|超過|不同于|不同於|类似|類似)[于於]?\s*$|[对相较比與与和跟]比\s*$|(?<![对對相])比\s*$"
)
_COMPARED_AFTER = re.compile(
    r"^[\s\-\w]{0,12}(?:\bvs\b\.?|\bversus\b|\bcompared (?:to|with)\b|\bbaselines?\b)"
    r"|^-(?:style|like|inspired)\b"
    r"|^\s*(?:相比|对比|對比|相较|相較|不同[,的]|より|에 비해|보다)"
)
_TO_DO = re.compile(r"^\W*to (?:[\w\-]+ ){0,2}?(?:fine-?tune|finetune|train|run|use|load|enable|reproduce|start)\b")
_DID = re.compile(r"\b(?:we|i|was|were|is|has)\b")
"""`To train with LoRA, run ...` tells the reader what to do; `to train it we used LoRA` does not."""
ADVICE = re.compile(
    r"\b(?:can|could|may|might|should|would|will|shall|must|supports?|supported|supporting|support for|compatible"
    r"|recommend(?:s|ed|ing|ation)?|suggest(?:s|ed)?|consider|options?|optional(?:ly)?|if you|you|your|users"
    r"|feel free|try"
    r"|e\.g|for example|for instance|such as|including|plan(?:s|ned|ning)?|future|upcoming|coming soon|todo"
    r"|tutorial|guide"
    r"|suitable|suited|ideal|designed for|intended for|allow(?:s|ing)?|enabl(?:e|es|ing)|easy|easily"
    r"|scripts? (?:for|to)|code (?:for|to)|(?<!training )(?<!\d )(?<!\dk )(?<!beled )examples?|possible|capable|ability"
    r"|how to|instructions?(?![\s\-](?:fine|tun|data|follow|pair|set|model))|when using|want|needs?|require[sd]?"
    r"|requiring|please|available|wish|let's|either|any|various|popular"
    r"|techniques? like|methods? like|approaches like|see|refer|read|learn|paper|papers)\b"
)
_OFFERED_AFTER = re.compile(
    r"^[\s\-]*(?:(?:fine-?tuning|finetuning|training)\s)?(?:implementations?|scripts?|code|examples?|tutorials?"
    r"|notebooks?|trainers?|support|integrations?|extensions?|utilities|generat(?:ing|ors?))\b"
)
"""What a repository of code offers: `provides LoRA implementations` says nothing of weights."""
ADVICE_ELSEWHERE = re.compile(
    r"可(?!靠|视|信)|能够|能夠|支持(?!模型|系统|系統|助手|服务)|支援|请(?!求)|請(?!求)|建议|建議|推荐|推薦|如需|如果|例如|比如|计划|計劃|未来|未來|教程|您|你"
    r"|できます|対応|推奨|例えば|지원|권장|가능|예를"
)
_ELSEWHERE = re.compile(
    r"(?:\b(?:fine-?tuning|finetuning|ajuste fino|affinage|feinabstimmung)\s(?:\w+\s){0,6}"
    r"(?:con|avec|mit|mittels|mediante|por)\s$"
    r"|\b(?:wurde|wird|werden|wurden)\b[^!?]{0,60}\b(?:mit|mittels|per|durch)\s(?:\w+\s)?$"
    r"|\b(?:dilatih|disetel|di-?fine-?tune|tinh chỉnh|huấn luyện)\b[^!?]{0,60}"
    r"\b(?:dengan|menggunakan|bằng|với|sử dụng)\s$"
    r"|\b(?:entrenad|ajustad|treinad|afinad|affin|entra[iî]n|trainiert|feinabgestimmt|feingetunt|addestrat"
    r"|обучен|дообучен)\w*"
    r"\b[^!?]{0,80}?\b(?:con|com|avec|mit|usando|mediante|utilisant|via|par|por|tramite|per mezzo|с помощью|с"
    r"|методом)\b[^!?]{0,40}$)"
    r"|(?:使用|采用|採用|通过|透過|利用|基于|基於|经过|經過)了?\s*$"
    r"|(?:本|该|此)(?:仓库|模型|项目|适配器|權重|权重|倉庫|專案|項目)[^,;]{0,30}(?:包含|提供|是|为)[^,;]{0,20}$"
    r"|(?:开源|開源|发布|發布|公开|公開)了?(?:的(?:是|为|為)?)?\s*$"
)
_ELSEWHERE_AFTER = re.compile(
    r"^\s*(?:を(?:用いて|使用|使って|用いた)|で(?:学習|ファインチューニング|微調整|訓練)|による(?:学習|ファインチューニング))"
    r"|^['’]?\s?(?:y?la|y?le|ile|kullanılarak|yöntemiyle|tekniğiyle)\b[^.!?]{0,40}(?:eğit|ince ayar|fine-?tune)"
    r"|^\s*(?:방식|기법)?(?:를|을|으로|로)?\s*(?:사용|이용|적용|활용)?\S{0,4}\s*\S{0,6}(?:학습|파인튜닝|훈련|미세)"
)
_CARRIED_OUT = re.compile(r"(?:进行|進行|完成|经过?|經過?)了?[^,;]{0,20}$")
_CARRIED_OUT_AFTER = re.compile(
    r"^\s*(?:高效)?(?:参数|參數|指令|监督)?(?:微调|微調|训练|訓練|精调)(?!教程|指南|脚本|代码)"
)
_CARRIES_OUT_AFTER = re.compile(
    r"^\s*(?:技术|技術|方法|方式|算法)?\s*(?:进行|進行|来|來|对模型|對模型)了?\s*(?:高效|轻量|轻量化)?(?:参数|參數|指令|监督)?(?:高效)?"
    r"\s*(?:微调|微調|训练|訓練|精调|finetun|fine-?tun)(?!教程|指南|脚本|代码)"
)
_MADE_BY = re.compile(r"^[^,;|]{0,16}(?:微调|微調|训练|訓練)(?:得到|得出|而成|而来|而來)")
_OPENS = re.compile(r"^[\s\-#>|+\d.:(]*(?:an?|the|this|my|our)?\s*(?:[\w\-.]+\s){0,2}$")
_OPENS_AFTER = re.compile(
    r"^[\s\-]*(?:(?:adapters?|weights?|fine-?tunes?|fine-?tuned|finetunes?|finetuned|checkpoints?|model|version)\s+"
    r"(?:model |version |weights? )?(?:of|for|on|trained|fine-?tuned|finetuned)|trained|fine-?tuned|finetuned)\b"
    r"(?![^.!?]*\b(?:can|could|may|should|requires?|needs?|support|possible|recommended|you|your)\b)"
)
_ARTICLE = re.compile(r"^\W*(?:an?|this|my|our|the)\s+$")
_ARTICLE_AFTER = re.compile(r"^\s+(?:of|for|that|which)\b(?![^.!?]*\b(?:can|could|may|should|you|your)\b)")
_BETWEEN = re.compile(r"\b(?:can|could|may|might|should|would|will|supports?|compatible|but|however|while|whereas)\b")
_BE_TRAINED = re.compile(
    r"\b(?:can|could|may|might|should|to|will|would|must|if|when|being)(?: \w+)? be$|\b(?:to|if|when|once)$"
)
_TRAINED = re.compile(
    r"\b(?P<verb>fine-?tuned|finetuned|trained|tuned|adapted|instruction-tuned|aligned|distilled|post-trained"
    r"|pretrained"
    r"|optimi[sz]ed|built|created|produced|obtained|learned|developed|made|generated|quantized|specialized|customized"
    r"|performed|conducted|done|carried out|achieved|implemented|updated|extended|merged)\b"
    r"[^!?]{0,120}?\b(?:with|using|via|through|by|utili[sz]ing|leveraging|applying|employing|on top of|as an?"
    r"|in|from|thanks to)\b"
    r"[^!?]{0,60}$"
)
_PROJECT_OF_TUNING = re.compile(
    r"\b(?:project|work|study|thesis|experiment|research|assignment|prototype|poc)s?\b[^!?]{0,60}?"
    r"\b(?:fine-?tuning|finetuning|tuning|training|adapting)\b"
    r"[^!?]{0,100}?\b(?:with|using|via|through|by)\b[^!?]{0,40}$"
)
_TAGLINE = re.compile(
    r"^\W*(?:efficient(?:ly)? |parameter-efficient |supervised )?(?:fine-?tuning|finetuning)\s[^!?]{3,100}?"
    r"\b(?:with|using|via)\s(?:[\w\-/+]+\s){0,3}[(]?$"
)
_TAGLINE_AFTER = re.compile(
    r"^(?![^.!?]*\b(?:is|are|can|could|may|requires?|needs?|allows?|makes?|works?|will|should|you|your|takes|see)\b)"
)
_NOMINAL = re.compile(r"^\W*(?:an?\s|the\s|our\s|this\s)?(?:[\w\-./]+\s){0,3}$|[,:+(&]\s(?:[\w\-]+\s){0,2}$")
_NOMINAL_AFTER = re.compile(
    r"^[\s\-)]{0,2}(?:based )?(?:fine-?tuning|finetuning|fine-?tunes?|finetunes?|training|adaptation)\s(?:of|on|for)\s"
    r"(?!(?:\w+\s)?(?:your|you|any|all|custom|various|different|multiple|several|popular|many|large|language"
    r"|diffusion|llms?|models|single|low|consumer|a single|efficien\w+|faster|memory|\d+-?bit|gpus?|cpu|mac|apple)\b)"
)
"""`LoRA fine-tuning of Llama 3 on 10k letters`; not `LoRA fine-tuning for your data`."""
_TO_TUNE = re.compile(
    r"^\W*(?:fine-?tunes?|finetunes?|tunes?|trains?|adapts?)\s[^!?]{2,80}?\s(?:with|using|via)\s(?:the\s)?[(]?$"
)
_TO_TUNE_AFTER = re.compile(
    r"^(?:\s[(][^()]{0,30}[)]|\sadapters?)?\s(?:on|for|to)\s(?!your|any|custom|a single|one|consumer)"
)
_PROJECT_WITH = re.compile(
    r"\b(?:this|our|the) (?:project|repo(?:sitory)?|work|system|app(?:lication)?|model|bot|assistant|pipeline"
    r"|notebook)\b"
    r"[^!?]{0,200}?\b(?:with|using|via|through)\s(?:[\w\-./+]+\s){0,3}$"
)
_TUNING_AFTER = re.compile(r"^[\s\-](?:based )?(?:fine-?tuning|finetuning)\b")
"""`This project finds faulty meters using Phi-3 with LoRA fine-tuning.`"""
_TUNED_AS = re.compile(r"\b(?:fine-?tuned|finetuned|trained)\s?[(]\s?$|\bunder(?:went|goes|gone)\s(?:[\w\-]+\s){0,3}$")
_MEANS_OF_TUNING = re.compile(
    r"\b(?:employing|applying|performing|adopting|using|via|through)\s(?:[\w\-]+\s){0,3}"
    r"(?:fine-?tuning|finetuning|training)\s(?:[(]\w+[)]\s)?(?:with|using|via|by|through)\s(?:[\w\-]+\s){0,2}$"
)
"""`We took that framework, employing supervised fine-tuning (SFT) with LoRA.`"""
_TRAINING_IS_BASED = re.compile(
    r"\b(?:the |our |this |its )?(?:model |adapter )?(?:fine-?tuning|finetuning|training|adapter|model)\s(?:is|was)\s"
    r"(?:\w+\s)?based on\s(?:the\s)?$"
)
_TUNED_BY = re.compile(r"\b(?:fine-?tuned|finetuned|trained)\s(?:[\w\-./+]+\s){1,5}[(]\s?$")
_TUNED_BY_AFTER = re.compile(r"^\s?[),;:→/](?![^()]*\bor\b)")
"""`Fine-tuned Qwen 7B (QLoRA, then DPO)`; not `fine-tuned models (LoRA or full)`."""
_A_MODEL = re.compile(r"\s[\w.\-/]*[\w](?<!models)(?<!networks)\b")
"""What follows `A prefix-tuned`; `prefix-tuned models` are those of anybody."""
_APPOSITION = re.compile(r"^\s[(][a-z][a-z \-]{1,40}[)](?=\s)")
"""A word in brackets that says what the name is: `QLoRA (PEFT) fine-tune of Llama`."""
_OPENS_WITH_USE = re.compile(
    r"^\W*(?:uses|used|utili[sz]es|utili[sz]ed|leverages|employs|applies|applied)\s(?:the\s)?$"
)
_TRAINS = re.compile(r"\b(?:fine-?tun|finetun|train|tuned|adapt(?:ed|ing)\b|experiment)")
_WE = re.compile(r"\b(?:we|i)\s(?:[\w\-]+\s){0,2}$")
_TOLD = re.compile(
    r"\b(?:we|i|our team)\s(?:[\w\-]+\s){0,2}?(?:used|fine-?tuned|finetuned|trained|tuned|applied|employed|adopted)\b"
    r"|\b(?:was|were|been)\s(?:[\w\-]+\s)?(?:fine-?tuned|finetuned|trained|tuned)\b|\b(?:was|were) used (?:to"
    r"|for) (?:fine-?tun|finetun|train)"
)
_TUNES_WITH = re.compile(
    r"\b(?:we|i|project|repo(?:sitory)?|work|notebook|script|approach|method|solution|pipeline|team|system)\b[^!?]{0,60}?"
    r"\b(?:fine-?tunes?|finetunes?|trains?|adapts?|tunes?)\b[^!?]{0,120}?\b(?:with|using|via|through|by)\s(?:[\w\-./+]+\s){0,4}[(]?$"
)
_BY_MEANS = re.compile(r"^\W*(?:using|with|by using|via|by)\s(?:the\s)?$")
_BY_MEANS_AFTER = re.compile(r"^[^,.!?]{0,60},\s(?:we|i)\b(?!\s(?:can|could|may|will|should|recommend|suggest))")
"""`Using prefix tuning on BERT, we reached 0.62.`"""
_LEARNED_AFTER = re.compile(
    r"^[\s\-](?:adapters?|weights|interventions?|modules?|prompts?|prefix(?:es)?|vectors?|layers?|embeddings?)\s"
    r"(?:(?:are|is|were|was)\s)?(?:trained|learned|fitted|tuned|optimi[sz]ed)\s(?:on|with|for|from|over)\b"
)
_IN_BRACKETS = re.compile(r"^-(?:tuned|fine-?tuned|finetuned|trained)\s?[)]")
_FOR_A_MODEL = re.compile(
    r"^\s(?:adapter\s)?(?:for|of)\s(?:the\s)?(?:sdxl|sd ?\d|stable[ -]diffusion|flux|pony|illustrious|noobai"
    r"|hunyuan|wan\b|qwen|llama"
    r"|mistral|gemma|phi-|whisper|bert|gpt)"
)
"""`Pixel art LoRA for SDXL`"""
_ONLY = re.compile(r"\b(?:only|just)(?: the)?(?: small)?$")
_ONLY_AFTER = re.compile(
    r"^[\s\-](?:adapters?|weights|parameters|matrices|modules|layers)\s(?:were|are|was|is|being)\s(?:\w+\s)?"
    r"(?:trained|updated|tuned|optimi[sz]ed|learned|trainable)\b"
)
"""`Only the LoRA weights were trained.`"""
_OWN_BEFORE = re.compile(
    r"(?:\b(?:our|my|these)\s(?:[\w\-]+\s){0,2}"
    r"|(?<!\byour )(?<!\ba )(?<!\bany )\b(?:trained|fine-?tuned|finetuned|resulting|final)\s(?:[\w\-]+\s){0,1})$"
)
_FILES_AFTER = re.compile(r"^[\s\-](?:adapters?|weights|checkpoints?|modules?|files?|model)\b")
_PLACED_AFTER = re.compile(
    r"^[\s\-](?:adapters?|weights|checkpoints?|models?)\s(?:\w+\s){0,3}?(?:is|are|was|were|have been|has been|can be)\s"
    r"(?:\w+\s)?(?:available|hosted|published|released|uploaded|downloaded|found|shared|pushed|on)\b"
)
_RELEASE_BEFORE = re.compile(
    r"\b(?:we|i)\s(?:have\s|also\s)?(?:releas|publish|shar|open-?sourc|upload|provid)\w*\s(?:the|our|my)\s(?:[\w\-]+\s){0,2}$"
)
_FETCH_BEFORE = re.compile(r"\b(?:download|get|grab)\s(?:the|our|my)\s(?:[\w\-]+\s){0,3}$")
_NOT_OWN = re.compile(
    r"\b(?:your|you have|once|if|when|after|any|other|others|another|existing|third-party|community|path"
    r"|director(?:y|ies)"
    r"|example|pre-?trained|merge[sd]?|merging|support\w*|could|would|should|may|will|not|no)\b"
)
_VERB = re.compile(r"(?:tune|tuned)$")
_THE = re.compile(r"\b(?:an?|the|this|our|my)\s+$")
_TUNED_MODEL = re.compile(
    r"^[\s\-](?:fine-?tuned|finetuned|tuned|trained)\s(?:[\w\-./]+\s){0,3}?"
    r"(?:model|version|checkpoint|weights|llama|qwen|mistral|gemma|phi|gpt|bert|deberta|roberta|whisper|t5|\d+b)\b"
)
_TUNED_AFTER = re.compile(r"^-(?:tuned|fine-?tuned|finetuned|trained)\s(?:on|for|to|using)\b")
"""`a Llama model, LoRA-tuned on letters`"""
_VERB_AFTER = re.compile(r"^-(?:tuned?|fine-?tuned?|finetuned?|trained?)\b")
_WE_USED = re.compile(
    r"(?:\b(?:we|i|it|which|that|model|training|fine-?tuning|team|authors?|adapter|setup|pipeline|run"
    r"|process|project|repo|repository|notebook)\b[\w\s,()\-]{0,40}?"
    r"\b(?:use[sd]?|used|appl(?:y|ies|ied)|employ(?:s|ed)?|utili[sz]e[sd]?|leverage[sd]?|adopt(?:s|ed)?"
    r"|train(?:s|ed)?"
    r"|perform(?:s|ed)?|fine-?tune[sd]?|chose|did|rel(?:y|ies|ied) on|incorporate[sd]?|combine[sd]?"
    r"|implement(?:s|ed)?)\b|^\W*fine-?tunes\b)[^!?]{0,40}$"
)
_THIS_IS = re.compile(
    r"\b(?:this|these|here|it|repo|repository|release|checkpoint|model|card|folder|file|files|weights)\b"
    r"(?: \w+){0,5}? (?:is|are|contains?|holds?|hosts?|provides?|includes?|stores?|has|have|features?)\b[^!?]{0,60}$"
    r"|^[\s\-#>|+\d.]*(?:this|these|our|my|the trained|trained)\s(?:\w+\s)?$"
)
_KEY_LINE = re.compile(r"[ \t>\-*+]{0,8}[\w][\w \-/()&]{1,48}[*_`]{0,3}\s?[:：=][*_`]{0,3}[ \t]")
"""`Finetuning type: LoRA` between lines of the same form is a line of its own."""
_WAS_USED = re.compile(r"^[\s\-\w()]{0,30}?\b(?:was|were) (?:used|applied|employed|trained|performed)\b")
_NOUN_AFTER = re.compile(
    r"^[\s\-_)]*(?:adapters?\b|weights?\b|checkpoints?\b|finetun|fine-?tun|adaption\b|training\b|trained\b"
    r"|tuned\b|matrices\b"
    r"|modules?\b|layers?\b|method\b|technique\b|(?:was|were|is|are) (?:used|applied|trained|employed)"
    r"|model\b|version\b|on top\b|for\b)"
)
_WITH_BEFORE = re.compile(
    r"\b(?:with|using|via|through|by|utili[sz]ing|leveraging|applying|employing|used|uses|apply|applied|w/"
    r"|thanks to|(?<=\s)\+)\s+(?:[\w\-()]+\s+){0,4}[(]?$"
)


@dataclass(frozen=True, slots=True)
class Context:
    """The words before and after a name in its sentence, folded, without markup."""

    before: str
    after: str
    cells: int
    """Cells of the table row it stands in; 0 outside tables."""
    bullet: bool
    name: str = ""
    """The name itself, folded."""
    to_do: bool = False
    """It stands behind a box that nobody has ticked."""


def read_context(text: str, start: int, end: int) -> Context:
    """The context of a span."""
    before = text[max(0, start - BEFORE_CHARS) : start]
    if cuts := list(_CUT.finditer(before)):
        before = before[cuts[-1].end() :]
    after = text[end : end + AFTER_CHARS]
    if (stop := _CUT.search(after)) is not None:
        after = after[: stop.start()]
    line_start = text.rfind("\n", max(0, start - 1_000), start) + 1
    line_end = text.find("\n", end, end + 1_000)
    if _KEY_LINE.match(text, line_start, start + 1) and _beside_key_line(text, line_start, line_end):
        before = before[-(start - line_start) :] if start > line_start else ""
    line = text[line_start : line_end if line_end >= 0 else end + 200].strip()
    row = [cell.strip() for cell in line.strip("|").split("|")]
    is_row = line.startswith("|") or (line.count("|") > 1 and _beside_row(text, line_start, line_end))
    cells = len(row) if is_row else 0
    if cells > 2 and row[1] and len(set(row[1:])) == 1:
        cells = 2  # the same in every column: no comparison
    if cells:  # a row is its own sentence
        before, after = text[line_start:start][-BEFORE_CHARS:], text[end : line_end if line_end >= 0 else end + 200]
        after = after[:AFTER_CHARS]
    to_do = _UNTICKED.match(line) is not None
    return Context(_clean(before), _clean(after), cells, line[:1] in "-*+•", text[start:end].casefold(), to_do)


def _beside_row(text: str, line_start: int, line_end: int) -> bool:
    above = text.rfind("\n", max(0, line_start - 1_000), max(0, line_start - 1)) + 1
    below = text.find("\n", line_end + 1, line_end + 1_000) if line_end >= 0 else -1
    return "|" in text[above:line_start] or (below >= 0 and "|" in text[line_end:below])


def _beside_key_line(text: str, line_start: int, line_end: int) -> bool:
    above = text.rfind("\n", max(0, line_start - 300), max(0, line_start - 1)) + 1
    return (0 <= above < line_start and _KEY_LINE.match(text, above, line_start) is not None) or (
        line_end >= 0 and _KEY_LINE.match(text, line_end + 1, line_end + 200) is not None
    )


def _clean(text: str) -> str:
    return text.translate(_MARKUP).casefold().replace("\n", " ")


def negated(context: Context) -> bool:
    """True when the sentence says that the technique was not used."""
    clause = re.split(r"[,;:]", context.before)[-1]
    return bool(_NEGATED.search(clause) or _NEGATED_AFTER.search(context.after))


def compared(context: Context) -> bool:
    """True when the technique stands as what something is held against."""
    return bool(_COMPARED.search(context.before[-80:]) or _COMPARED_AFTER.search(context.after))


def advised(context: Context) -> bool:
    """True when the sentence speaks of what one could do, or of what is on offer."""
    return bool(
        ADVICE.search(context.before)
        or ADVICE_ELSEWHERE.search(context.before)
        or _OFFERED_AFTER.search(context.after)
        or (_TO_DO.search(context.before) and not _DID.search(f"{context.before} {context.after}"))
    )


def stated(context: Context) -> bool:
    """True when the sentence says outright that the technique was used."""
    context = replace(context, after=_APPOSITION.sub("", context.after))
    trained = _TRAINED.search(context.before)
    if trained is not None:
        lead = context.before[: trained.start()].rstrip()
        if not _BE_TRAINED.search(lead) and not _BETWEEN.search(context.before, trained.end("verb")):
            return True
    if _WAS_USED.search(context.after) and not advised(context):
        return True
    if _TUNES_WITH.search(context.before) and not advised(context):
        return True
    if _BY_MEANS.search(context.before) and _BY_MEANS_AFTER.search(context.after):
        return True
    if _LEARNED_AFTER.search(context.after) and not advised(context):
        return True
    if context.before.endswith("(") and _IN_BRACKETS.search(context.after):
        return not advised(context)
    if _OPENS.search(context.before) and _FOR_A_MODEL.search(context.after):
        return not advised(context)
    if _ONLY.search(context.before.rstrip()) and _ONLY_AFTER.search(context.after):
        return not advised(context)
    if own_files(context):
        return True
    if not ADVICE_ELSEWHERE.search(context.before):
        if _ELSEWHERE.search(context.before) or _ELSEWHERE_AFTER.search(context.after):
            return True
        carried_out = _CARRIED_OUT.search(context.before) and _CARRIED_OUT_AFTER.search(context.after)
        if carried_out or _CARRIES_OUT_AFTER.search(context.after) or _MADE_BY.search(context.after):
            return True
    if _ARTICLE.search(context.before) and _ARTICLE_AFTER.search(context.after):
        return True
    if _OPENS.search(context.before) and _OPENS_AFTER.search(context.after):
        return True
    if _THE.search(context.before) and _TUNED_MODEL.search(context.after):
        return not advised(context)
    if _MEANS_OF_TUNING.search(context.before) or _TRAINING_IS_BASED.search(context.before):
        return not advised(context)
    if _TUNED_BY.search(context.before) and _TUNED_BY_AFTER.search(context.after):
        return not advised(context)
    if _TUNED_AS.search(context.before) or _OPENS_WITH_USE.search(context.before):
        return not advised(context)
    if context.name.endswith("tuned") and _OPENS.search(context.before) and _A_MODEL.match(context.after):
        return not advised(context)
    # `we prompt-tune a frozen model`, `we LoRA-tuned it`
    if _WE.search(context.before) and (_VERB.search(context.name) or _VERB_AFTER.search(context.after)):
        return not advised(context)
    if _TUNED_AFTER.search(context.after):
        return not advised(context)
    if _PROJECT_OF_TUNING.search(context.before):
        return not advised(context)
    if _PROJECT_WITH.search(context.before) and _TUNING_AFTER.search(context.after):
        return not advised(context)
    return bool(_THIS_IS.search(context.before) or _WE_USED.search(context.before)) and not advised(context)


def own_files(context: Context) -> bool:
    """True where the sentence says where the subject's own weights are: `our LoRA adapter can be downloaded here`."""
    if _NOT_OWN.search(context.before):
        return False
    own = _OWN_BEFORE.search(context.before) or _RELEASE_BEFORE.search(context.before)
    if own and _FILES_AFTER.search(context.after):
        return True
    if _FETCH_BEFORE.search(context.before) and _FILES_AFTER.search(context.after):
        return re.search(r"\bfrom\b|\bhere\b", context.after) is not None
    return re.search(r"\bthe (?:[\w\-]+ )?$", context.before) is not None and bool(_PLACED_AFTER.search(context.after))


def told(context: Context) -> bool:
    """True where somebody tells of a training of their own, or of one that took place."""
    return _TOLD.search(f"{context.before}{context.name}{context.after}") is not None


def trained_all(context: Context) -> bool:
    """True where a sentence that names many techniques still says that models were trained with them."""
    return _TRAINS.search(context.before) is not None and not advised(context)


def tagline(context: Context) -> bool:
    """True for the line that says what a project is: `Fine-tuning Llama 2 on Guanaco using QLoRA.`"""
    whole = _TAGLINE_AFTER.search(context.after) is not None
    nominal = _NOMINAL.search(context.before) and _NOMINAL_AFTER.search(context.after)
    verbal = _TO_TUNE.search(context.before) and _TO_TUNE_AFTER.search(context.after)
    return whole and bool(_TAGLINE.search(context.before) or nominal or verbal) and not advised(context)


def hinted(context: Context) -> bool:
    """True for weak wording of use: `with LoRA`, `LoRA adapter`."""
    return bool(_WITH_BEFORE.search(context.before) or _NOUN_AFTER.search(context.after))
