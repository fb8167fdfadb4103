"""What the Hub sends, as records: a row of the listing, and the answer to a request for a file.

Pure functions. Whatever a stranger can put into a repository comes out as a record or as a Failure, never as an
exception. A row of the listing, with the fields we ask for:

    {"id": "owner/name", "author": "owner", "createdAt": "2024-05-01T10:00:00.000Z", "downloads": 12,
     "tags": ["peft", "base_model:adapter:org/base"], "gated": false,
     "siblings": [{"rfilename": "README.md"}, {"rfilename": "adapter_config.json"}]}
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from hubstats.errors import AccessDenied, BadPage
from hubstats.http import Response
from hubstats.http.response import shown
from hubstats.records import AdapterConfig, Failure, FileStatus, HubModel, ModelCard
from hubstats.sources._fields import clean, flag, moment, rows, text, texts, whole
from hubstats.sources._git import is_blob
from hubstats.sources._repository_files import CARD, CONFIG, MOST_WEIGHT_FILES, WEIGHT_ENDINGS, decode, read_config

SOURCE = "hub"
RELATIONS = frozenset({"adapter", "merge", "quantized", "finetune"})
DISABLED = "Access to this resource is disabled."
BAD_TOKEN = "Invalid credentials in Authorization header"


def parse_model(row: object, *, place: str = "row", seen_at: datetime | None = None) -> HubModel | Failure:
    """One row of the listing. A Failure when it is no object or names no repository; `place` says where it stood."""
    if not isinstance(row, dict):
        return _unread(place, "not_an_object", f"{place} is a {type(row).__name__}, not an object", seen_at)
    model_id = text(row, "id", 300) or text(row, "modelId", 300)
    if not model_id or not model_id.strip():
        return _unread(place, "no_id", f"{place} names no repository", seen_at)
    tags = texts(row, "tags", most=500)
    base_model, relation = _base_model(tags)
    names = _file_names(row)
    gated = row.get("gated")
    return HubModel(
        source=SOURCE,
        model_id=model_id,
        author=text(row, "author", 200) or (model_id.partition("/")[0] if "/" in model_id else None),
        created_at=moment(row, "createdAt"),
        last_modified=moment(row, "lastModified"),
        downloads=whole(row, "downloads"),
        likes=whole(row, "likes"),
        tags=tags,
        library_name=text(row, "library_name", 100),
        pipeline_tag=text(row, "pipeline_tag", 100),
        base_model=base_model,
        base_model_relation=relation,
        # false, or how terms are accepted: "auto" or "manual".
        gated=bool(gated) if isinstance(gated, bool | str) else None,
        disabled=flag(row, "disabled"),
        has_card=None if names is None else CARD in names,
        has_adapter_config=None if names is None else CONFIG in names,
        weight_files=None if names is None else _weights(names),
        seen_at=seen_at,
    )


def card_record(model_id: str, response: Response, fetched_at: datetime) -> ModelCard:
    """README.md as the answer shows it. Raises AccessDenied when the Hub does not know the token."""
    status, detail = file_status(response)
    if status not in ("ok", "too_large"):
        return ModelCard(SOURCE, model_id, status, detail=detail, fetched_at=fetched_at)
    content, replaced = decode(response.body, cut=response.truncated)
    if status == "ok" and replaced:
        detail = f"not UTF-8: {replaced:,} bytes replaced"
    size = _size(response)
    return ModelCard(SOURCE, model_id, status, content, size, _etag(response), detail, fetched_at)


def config_record(model_id: str, response: Response, fetched_at: datetime) -> AdapterConfig:
    """adapter_config.json as the answer shows it. Raises AccessDenied when the Hub does not know the token."""
    status, detail = file_status(response)
    if status not in ("ok", "too_large"):
        return AdapterConfig(SOURCE, model_id, status, detail=detail, fetched_at=fetched_at)
    content, _ = decode(response.body, cut=response.truncated)
    peft_type = None
    if status == "ok":
        status, peft_type, detail = read_config(content)
    size = _size(response)
    return AdapterConfig(SOURCE, model_id, status, peft_type, content, size, _etag(response), detail, fetched_at)


def without_answer(
    model_id: str, name: str, status: FileStatus, detail: str, fetched_at: datetime
) -> ModelCard | AdapterConfig:
    """The record of a file that was not asked for, or whose every request failed."""
    kind = ModelCard if name == CARD else AdapterConfig
    return kind(SOURCE, model_id, status, detail=detail, fetched_at=fetched_at)


def file_status(response: Response) -> tuple[FileStatus, str | None]:
    """What the Hub's answer says about a file, and why on one line.

    The codes decide, then the messages, then the bare status: as huggingface_hub reads them, save that a bare
    404 counts as a missing file. Raises AccessDenied when the token is wrong, since that says nothing of the file.
    """
    if response.truncated and response.status == 200:
        return "too_large", f"over {len(response.body):,} bytes; the beginning is kept"
    if response.status == 200:
        return "ok", None
    said = response.reason()
    detail = f"HTTP {response.status}{': ' + said if said else ''}"
    match response.headers.get("x-error-code"):
        case "EntryNotFound":
            return "missing", None
        case "RevisionNotFound":
            return "missing", "no revision 'main': the repository is empty or uses another branch"
        case "GatedRepo":
            return "gated", detail
        case "RepoNotFound":
            return "unavailable", detail
    if said == DISABLED or response.status == 451:
        return "disabled", detail
    if said.startswith(BAD_TOKEN):
        raise AccessDenied("the Hub does not know this token; set HF_TOKEN anew or unset it", status=response.status)
    if response.status == 404:
        return "missing", None
    if response.status in (401, 403, 410):
        # To those who may not see it, the Hub tells of a private repository what it tells of none at all.
        return "unavailable", detail
    return "failed", detail


def check_file(response: Response) -> None:
    """Raises BadPage when a 2xx is not the file it is taken for: every file of the Hub comes with an ETag.

    That of a file kept in git is git's own hash of the content, so a card that was cut on its way is noticed. Large
    files have another hash, which is left alone.
    """
    etag = _etag(response)
    where = shown(response.url)
    if etag is None:
        raise BadPage(f"{where}: what came has no ETag, so it is no file of the Hub", url=where)
    whole = not response.truncated and not response.redacted
    if whole and not is_blob(response.body, etag):
        raise BadPage(f"{where}: what came is not what its ETag says; it may be cut", url=where)


def _unread(place: str, reason: str, detail: str, seen_at: datetime | None) -> Failure:
    return Failure(SOURCE, "listing", place, reason, detail, seen_at)


def _base_model(tags: tuple[str, ...]) -> tuple[str | None, str | None]:
    """Base model and relation from the tags: `base_model:adapter:org/base` before `base_model:org/base`."""
    plain: str | None = None
    for tag in tags:
        if not tag.startswith("base_model:"):
            continue
        relation, colon, base = tag.removeprefix("base_model:").partition(":")
        if colon and relation in RELATIONS and base:
            return base, relation
        if plain is None and relation and not colon:
            plain = relation
    return plain, None


def _file_names(row: Mapping[str, Any]) -> frozenset[str] | None:
    if not isinstance(row.get("siblings"), list):
        return None
    return frozenset(
        name
        for file in rows(row, "siblings")
        if isinstance(file, dict) and isinstance(name := file.get("rfilename"), str)
    )


def _weights(names: frozenset[str]) -> tuple[str, ...]:
    found = sorted(name for name in names if name.endswith(WEIGHT_ENDINGS))
    return tuple(clean(name, 300) for name in found[:MOST_WEIGHT_FILES])


def _size(response: Response) -> int | None:
    """Bytes of the file: what came, or for one that was cut what the header says, if it can be believed."""
    if not response.truncated:
        return len(response.body)
    length = response.headers.get("content-length", "")
    if "content-encoding" in response.headers or not (length.isascii() and length.isdecimal() and len(length) < 16):
        return None
    return int(length)


def _etag(response: Response) -> str | None:
    etag = response.headers.get("etag")
    return clean(etag.removeprefix("W/").strip('"'), 200) if etag else None
