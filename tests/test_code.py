"""hubstats.sources.code over real git repositories and folders made here."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
import subprocess
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from hubstats import techniques
from hubstats.engines.local import Local
from hubstats.errors import SourceError
from hubstats.records import AdapterConfig, CodeFile, CodeImport, Failure, Page, SourceOptions
from hubstats.sources import Source, _code_files, code
from hubstats.sources._git import GitRepository, owner_and_name
from hubstats.sources._trees import MAX_BYTES, FolderTree
from hubstats.sources.code import Code

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")

CLASSES = {"LoraConfig": "lora", "IA3Config": "ia3"}
NOW = datetime(2026, 1, 2, tzinfo=UTC)
TRAIN = "from peft import LoraConfig\nLoraConfig(r=8)\n"


def git(folder: Path, *arguments: str) -> str:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")} | {
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_NAME": "a",
        "GIT_AUTHOR_EMAIL": "a@b",
        "GIT_COMMITTER_NAME": "a",
        "GIT_COMMITTER_EMAIL": "a@b",
    }
    done = subprocess.run(["git", *arguments], cwd=folder, env=environment, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def write(folder: Path, files: Mapping[str, str | bytes]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def commit(folder: Path, files: Mapping[str, str | bytes]) -> str:
    """The hash of a commit that adds `files` to the repository in `folder`, made when there is none."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / ".git").exists():
        git(folder, "init", "-q")
    write(folder, files)
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "--allow-empty", "-m", "x")
    return git(folder, "rev-parse", "HEAD")


class Crawl:
    """One run of the source, its pages and what it said."""

    def __init__(self, *paths: Path, cursors: Mapping[str, str] | None = None, **options: Any) -> None:
        self.said: list[str] = []
        self.source = Code(list(paths), CLASSES, self.said.append, now=lambda: NOW, **options)
        assert self.source.unavailable() is None
        self.pages: list[Page] = list(self.source.pages(cursors or {}))

    @property
    def cursors(self) -> dict[str, str]:
        return {page.scope: page.cursor for page in self.pages if page.cursor is not None}

    def of(self, kind: type[Any]) -> list[Any]:
        return [record for page in self.pages for record in page.records if isinstance(record, kind)]

    def files(self) -> dict[str, CodeFile]:
        return {record.path: record for record in self.of(CodeFile)}


def test_a_work_tree_is_read_at_its_commit(tmp_path: Path) -> None:
    repo = tmp_path / "proj"
    head = commit(repo, {"a/train.py": TRAIN, "b.py": "import os", "tests/test_a.py": "import peft", "r.md": "peft"})
    write(repo, {"untracked.py": TRAIN, "a/train.py": "changed, not committed"})
    crawl = Crawl(repo)
    assert isinstance(crawl.source, Source)
    sha = git(repo, "rev-parse", "HEAD:a/train.py")
    assert crawl.files() == {
        "a/train.py": CodeFile(
            *("code", "proj", head, "a/train.py", sha, "ok", "use", "ast"), bytes=len(TRAIN), fetched_at=NOW
        ),
        "tests/test_a.py": CodeFile(
            *(
                "code",
                "proj",
                head,
                "tests/test_a.py",
                git(repo, "rev-parse", "HEAD:tests/test_a.py"),
                "ok",
                "test",
                "ast",
            ),
            bytes=11,
            fetched_at=NOW,
        ),
    }
    assert crawl.of(CodeImport) == [
        CodeImport("code", "proj", head, "a/train.py", None, "from", "peft", "LoraConfig", None, 1, "lora", True),
        CodeImport("code", "proj", head, "a/train.py", None, "construct", "peft", "LoraConfig", None, 2, "lora"),
        CodeImport("code", "proj", head, "tests/test_a.py", None, "import", "peft", None, None, 1, None),
    ]
    assert [(p.scope, p.cursor, p.done, p.items, p.expected) for p in crawl.pages] == [("proj", head, True, 3, 3)]
    assert crawl.source.counters()["files"] == 3
    assert crawl.source.counters()["parsed"] == 2


def test_a_finished_repository_is_skipped_until_it_moves(tmp_path: Path) -> None:
    repo = tmp_path / "proj"
    commit(repo, {"train.py": TRAIN})
    first = Crawl(repo)
    again = Crawl(repo, cursors=first.cursors)
    assert again.pages == []
    assert again.source.counters() == {"repositories_unchanged": 1}
    assert Crawl(repo, cursors=first.cursors, refresh=True).of(CodeFile) == first.of(CodeFile)
    second = commit(repo, {"train.py": "import peft"})
    moved = Crawl(repo, cursors=first.cursors)
    assert [record.form for record in moved.of(CodeImport)] == ["import"]
    assert moved.cursors == {"proj": second}


def test_a_revision_can_be_pinned(tmp_path: Path) -> None:
    first = commit(tmp_path / "proj", {"train.py": TRAIN})
    commit(tmp_path / "proj", {"train.py": "import peft"})
    assert len(Crawl(tmp_path / "proj", revision=first[:10]).of(CodeImport)) == 2
    assert len(Crawl(tmp_path / "proj", revision="HEAD~1").of(CodeImport)) == 2
    for wrong in ("nowhere", "--help", "-x"):
        with pytest.raises(SourceError, match="proj"):
            Crawl(tmp_path / "proj", revision=wrong)


def test_bare_repositories_and_git_directories(tmp_path: Path) -> None:
    commit(tmp_path / "proj", {"train.py": TRAIN})
    git(tmp_path, "clone", "-q", "--bare", "proj", "bare.git")
    git(tmp_path / "proj", "worktree", "add", "-q", str(tmp_path / "linked"))
    for path, name in (("bare.git", "bare"), ("proj/.git", "proj"), ("linked", "linked")):
        crawl = Crawl(tmp_path / path)
        assert [r.repo for r in crawl.of(CodeFile)] == [name]


def test_a_folder_of_repositories(tmp_path: Path) -> None:
    commit(tmp_path / "me+one" / "repo", {"a.py": TRAIN})
    commit(tmp_path / "two", {"a.py": TRAIN})
    commit(tmp_path / "empty", {})
    git(tmp_path / "two", "remote", "add", "origin", "https://user:secret@example.org/me/two.git")
    (tmp_path / "unborn").mkdir()
    git(tmp_path / "unborn", "init", "-q")
    (tmp_path / "unborn" / "damaged").mkdir()
    write(tmp_path, {"loose.py": TRAIN})
    crawl = Crawl(tmp_path)
    assert sorted(r.repo for r in crawl.of(CodeFile)) == ["me/one", "me/two"]
    assert sorted(crawl.cursors) == ["empty", "me/one", "me/two"]
    assert [(f.subject_id, f.reason) for f in crawl.of(Failure)] == [("unborn", "git")]
    assert "secret" not in repr(crawl.pages) + "".join(crawl.said) + crawl.source.endpoint


def test_one_copy_of_a_repository_is_read(tmp_path: Path) -> None:
    commit(tmp_path / "a" / "proj", {"a.py": TRAIN})
    commit(tmp_path / "b" / "proj", {"b.py": TRAIN})
    crawl = Crawl(tmp_path / "a", tmp_path / "b")
    assert [r.path for r in crawl.of(CodeFile)] == ["a.py"]
    assert [f.reason for f in crawl.of(Failure)] == ["duplicate"]


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("https://github.com/me/proj.git", "me/proj"),
        ("https://token:x@github.com/me/proj", "me/proj"),
        ("git@github.com:me/proj.git", "me/proj"),
        ("ssh://git@host:22/group/sub/proj/", "sub/proj"),
        ("/home/me/proj", None),
        ("file:///home/me/proj", None),
        ("../proj", None),
        ("https://host/proj", None),
        ("https://host/me/pr oj", None),
        ("https://[", None),
        ("", None),
    ],
)
def test_names_from_addresses(address: str, name: str | None) -> None:
    assert owner_and_name(address) == name


def test_files_that_cannot_be_read_are_counted(tmp_path: Path) -> None:
    big = b"import peft\n" + b"#" * MAX_BYTES
    commit(
        tmp_path / "proj",
        {
            "big.py": big,
            "limit.py": b"import peft\n" + b"#" * (MAX_BYTES - 12),
            "old.py": "print 'x'\nimport peft",
            "bad.ipynb": '{"x": "import peft"}',
            "link.py": "",
        },
    )
    repo = tmp_path / "proj"
    (repo / "link.py").unlink()
    (repo / "link.py").symlink_to("old.py")
    commit(repo, {})
    crawl = Crawl(repo)
    found = {path: (r.status, r.parser, r.bytes) for path, r in crawl.files().items()}
    assert found == {
        "big.py": ("too_large", None, len(big)),
        "limit.py": ("ok", "ast", MAX_BYTES),
        "old.py": ("ok", "fallback", 21),
        "bad.ipynb": ("malformed", None, 20),
    }
    assert {r.path for r in crawl.of(CodeImport)} == {"limit.py", "old.py"}
    assert sum(page.items or 0 for page in crawl.pages) == 4


def test_equal_blobs_are_rows_of_their_own(tmp_path: Path) -> None:
    commit(tmp_path / "proj", {"a.py": TRAIN, "b.py": TRAIN, "c.ipynb": TRAIN})
    files = Crawl(tmp_path / "proj").files()
    assert {path: r.status for path, r in files.items()} == {"a.py": "ok", "b.py": "ok", "c.ipynb": "malformed"}
    assert len({r.blob_sha for r in files.values()}) == 1


def test_adapter_configs_in_the_tree(tmp_path: Path) -> None:
    good = json.dumps({"peft_type": "LORA", "r": 8})
    commit(
        tmp_path / "proj",
        {
            "adapter_config.json": good,
            "out/adapter_config.json": '{"peft_type": "FUTURE"}',
            "out/my_adapter_config.json": good,
            "a/adapter_config.json": "[1]",
            "b/adapter_config.json": '{"base_model": "x"}',
            "c/adapter_config.json": b"\xff{",
            "d/adapter_config.json": '{"peft_type": ["LORA"]}',
            "e/adapter_config.json": b'{"peft_type": "LORA"}' + b" " * MAX_BYTES,
            "f/adapter_config.json": b'\xef\xbb\xbf{"peft_type": "\\ud800"}',
            "g/adapter_config.json": "[" * 100_000,
        },
    )
    crawl = Crawl(tmp_path / "proj")
    configs: list[AdapterConfig] = crawl.of(AdapterConfig)
    assert {r.model_id.removeprefix("proj:"): (r.status, r.peft_type) for r in configs} == {
        "adapter_config.json": ("ok", "LORA"),
        "out/adapter_config.json": ("ok", "FUTURE"),
        "a/adapter_config.json": ("malformed", None),
        "b/adapter_config.json": ("malformed", None),
        "c/adapter_config.json": ("malformed", None),
        "d/adapter_config.json": ("malformed", None),
        "e/adapter_config.json": ("too_large", None),
        "f/adapter_config.json": ("ok", "?"),
        "g/adapter_config.json": ("malformed", None),
    }
    assert next(r.config for r in configs if r.model_id == "proj:adapter_config.json") == good
    assert all(r.detail for r in configs if r.status != "ok")
    assert sum(page.items or 0 for page in crawl.pages) == 0
    repr(configs).encode()


def test_pages_are_bounded_and_only_the_last_has_a_cursor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(code, "_PAGE_RECORDS", 10)
    monkeypatch.setattr(_code_files, "SHARD_FILES", 25)
    files = {f"{i:03}.py": TRAIN for i in range(12)} | {f"x{i:03}.py": "" for i in range(60)}
    commit(tmp_path / "proj", files)
    crawl = Crawl(tmp_path / "proj")
    assert all(len(page.records) < 10 + 3 for page in crawl.pages)
    assert all((page.items or 0) <= 25 for page in crawl.pages)
    assert sum(page.items or 0 for page in crawl.pages) == 72
    head = git(tmp_path / "proj", "rev-parse", "HEAD")
    assert [page.cursor for page in crawl.pages] == [None, None, f"{head} 25", f"{head} 50", head]
    assert [page.done for page in crawl.pages] == [False] * 4 + [True]
    assert len(crawl.of(CodeImport)) == 24


def test_a_walk_that_was_stopped_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_code_files, "SHARD_FILES", 10)
    files = {f"{i:03}.py": TRAIN for i in range(35)}
    write(tmp_path / "folder", files)
    commit(tmp_path / "proj", files)
    for place in ("folder", "proj"):
        whole = Crawl(tmp_path / place)
        for at in range(1, len(whole.pages)):
            cursors = {page.scope: page.cursor for page in whole.pages[:at] if page.cursor}
            rest = Crawl(tmp_path / place, cursors=cursors)
            assert rest.pages == whole.pages[at:]
            assert len(rest.of(CodeFile)) == 35 - 10 * at
    commit(tmp_path / "proj", {"new.py": TRAIN})
    assert len(Crawl(tmp_path / "proj", cursors=cursors).of(CodeFile)) == 36, "another commit is read from its start"


def test_a_file_that_cannot_be_read_is_tried_again_by_the_next_crawl(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_code_files, "SHARD_FILES", 10)
    repo = tmp_path / "proj"
    commit(repo, {f"{i:03}.py": f"{TRAIN}#{i}" for i in range(35)})
    gone = git(repo, "rev-parse", "HEAD:012.py")
    place = repo / ".git" / "objects" / gone[:2] / gone[2:]
    place.rename(tmp_path / "aside")
    crawl = Crawl(repo)
    head = git(repo, "rev-parse", "HEAD")
    assert [(f.item, f.reason) for f in crawl.of(Failure)] == [("012.py", "failed")]
    assert len(crawl.of(CodeFile)) == 34
    assert crawl.cursors == {"proj": f"{head} 10"}
    (tmp_path / "aside").rename(place)
    again = Crawl(repo, cursors=crawl.cursors)
    assert len(again.of(CodeFile)) == 25
    assert again.cursors == {"proj": head}


@pytest.mark.parametrize("place", ["folder", "proj"])
def test_several_processes_read_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    monkeypatch.setattr(_code_files, "SHARD_FILES", 10)
    files = {f"{i % 7}/{i:03}.py": TRAIN + f"# {i}" if i % 3 else "import os" for i in range(60)}
    write(tmp_path / "folder", files)
    commit(tmp_path / "proj", files)
    monkeypatch.setattr("tests.test_code.CLASSES", techniques.load().config_classes())
    with Local(2, alone=0) as engine:
        assert Crawl(tmp_path / place, engine=engine).pages == Crawl(tmp_path / place).pages


def test_a_reading_that_becomes_too_large_goes_on_in_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_code_files, "MOST_RECORDS", 12)
    commit(tmp_path / "proj", {f"{i:03}.py": TRAIN for i in range(35)})
    crawl = Crawl(tmp_path / "proj")
    assert len(crawl.pages) == 9
    assert list(crawl.files()) == [f"{i:03}.py" for i in range(35)]
    assert len(crawl.of(CodeImport)) == 70
    assert sum(page.items or 0 for page in crawl.pages) == 35
    assert [page.cursor is not None for page in crawl.pages] == [False] * 8 + [True]


def test_pages_are_bounded_in_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(code, "_PAGE_TEXT", 1000)
    config = '{"peft_type": "LORA"}' + " " * 400
    commit(tmp_path / "proj", {f"{i}/adapter_config.json": config + " " * i for i in range(9)})
    commit(tmp_path / "kept", {f"{i}.py": TRAIN + "#" * (400 + i) for i in range(9)})
    assert [len(page.records) for page in Crawl(tmp_path / "proj").pages] == [3, 3, 3]
    assert [len(page.records) for page in Crawl(tmp_path / "kept", keep_text=True).pages] == [9, 9, 9]


def test_text_is_kept_only_when_asked_for(tmp_path: Path) -> None:
    commit(tmp_path / "proj", {"a.py": TRAIN.encode() + b"#\xff\x00"})
    assert [r.text for r in Crawl(tmp_path / "proj").of(CodeFile)] == [None]
    assert [r.text for r in Crawl(tmp_path / "proj", keep_text=True).of(CodeFile)] == [TRAIN + "#\ufffd"]


def test_a_folder_without_git(tmp_path: Path) -> None:
    folder = write(
        tmp_path / "code",
        {
            "a.py": TRAIN,
            "sub/b.ipynb": json.dumps({"cells": [{"cell_type": "code", "source": "import peft"}]}),
            ".hidden/c.py": TRAIN,
            ".c.py": TRAIN,
            "node_modules/d.py": TRAIN,
            "env/pyvenv.cfg": "",
            "env/lib/e.py": TRAIN,
            "big.py": b"#" * (MAX_BYTES + 1),
            "text.txt": TRAIN,
        },
    )
    write(tmp_path / "outside", {"f.py": TRAIN})
    (folder / "linked").symlink_to(tmp_path / "outside")
    (folder / "g.py").symlink_to(tmp_path / "outside" / "f.py")
    os.mkfifo(folder / "pipe.py")
    crawl = Crawl(folder)
    files = crawl.files()
    assert sorted(files) == ["a.py", "big.py", "sub/b.ipynb"]
    content = TRAIN.encode()
    assert files["a.py"].blob_sha == hashlib.sha1(b"blob %d\x00" % len(content) + content).hexdigest()
    assert {r.revision for r in files.values()} == {None}
    assert {r.repo for r in files.values()} == {"code"}
    assert files["big.py"].status == "too_large"
    left_out = {k: v for k, v in crawl.source.counters().items() if k.startswith("left_out")}
    assert left_out == {"left_out:links": 2, "left_out:hidden": 2, "left_out:installed or cached": 2}
    assert "2 hidden" in crawl.said[-1]
    assert Crawl(folder, cursors=crawl.cursors).of(CodeFile) == []
    write(folder, {"a.py": "import peft.tuners"})
    assert len(Crawl(folder, cursors=crawl.cursors).of(CodeFile)) == 3


def test_one_file(tmp_path: Path) -> None:
    write(tmp_path, {"a.py": TRAIN, "b.py": TRAIN})
    assert list(Crawl(tmp_path / "a.py").files()) == ["a.py"]


def test_a_file_that_vanishes_or_is_locked_is_a_failure(tmp_path: Path) -> None:
    folder = write(tmp_path / "code", {"a.py": TRAIN, "b.py": TRAIN})
    tree = FolderTree(folder, Counter())
    items = list(tree.items())
    (folder / "a.py").unlink()
    assert [data is None for _, data in tree.place.contents(items)] == [True, False]


def test_paths_that_are_not_utf8(tmp_path: Path) -> None:
    folder = tmp_path / "code"
    folder.mkdir()
    (folder / os.fsdecode(b"caf\xe9.py")).write_text(TRAIN)
    assert list(Crawl(folder).files()) == ["caf\\xe9.py"]
    commit(folder, {})
    assert list(Crawl(folder).files()) == ["caf\\xe9.py"]
    write(folder, {'tab\t"quote\nline.py': TRAIN})
    commit(folder, {})
    assert list(Crawl(folder).files()) == ["caf\\xe9.py", 'tab\t"quote\nline.py']


def test_the_repository_runs_nothing(tmp_path: Path) -> None:
    """Settings of a hostile repository that name programs: hooks, monitors, pagers, transports of missing objects."""
    repo, ran = tmp_path / "evil", tmp_path / "ran"
    commit(repo, {"a.py": TRAIN, "gone.py": "import peft"})
    program = write(tmp_path, {"program": f"#!/bin/sh\ntouch '{ran}'\n"}) / "program"
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    for hook in ("reference-transaction", "post-checkout", "pre-auto-gc", "fsmonitor-watchman"):
        (repo / ".git" / "hooks").mkdir(exist_ok=True)
        shutil.copy(program, repo / ".git" / "hooks" / hook)
    for key, value in {
        "core.fsmonitor": str(program),
        "core.pager": str(program),
        "core.sshCommand": str(program),
        "core.repositoryformatversion": "1",
        "extensions.partialClone": "origin",
        "remote.origin.url": f"ext::{program}",
        "remote.origin.promisor": "true",
        "protocol.ext.allow": "always",
        "protocol.allow": "always",
        "diff.external": str(program),
        "filter.x.smudge": str(program),
    }.items():
        git(repo, "config", key, value)
    gone = git(repo, "rev-parse", "HEAD:gone.py")
    (repo / ".git" / "objects" / gone[:2] / gone[2:]).unlink()
    crawl = Crawl(repo)
    assert not ran.exists()
    assert list(crawl.files()) == ["a.py"]
    assert [(f.subject_id, f.item, f.reason) for f in crawl.of(Failure)] == [("evil", "gone.py", "failed")]
    assert crawl.cursors == {}


def test_the_callers_git_settings_do_not_leak_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit(tmp_path / "one", {"a.py": TRAIN})
    commit(tmp_path / "two", {"b.py": TRAIN})
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "two" / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", "nowhere")
    monkeypatch.setenv("GIT_OBJECT_DIRECTORY", "nowhere")
    assert list(Crawl(tmp_path / "one").files()) == ["a.py"]


def test_a_replaced_object_is_not_believed(tmp_path: Path) -> None:
    repo = tmp_path / "proj"
    commit(repo, {"a.py": TRAIN})
    old = git(repo, "rev-parse", "HEAD:a.py")
    commit(repo, {"other.py": "import os"})
    git(repo, "replace", old, git(repo, "rev-parse", "HEAD:other.py"))
    assert "a.py" in Crawl(repo).files()


def test_a_damaged_repository_does_not_stop_the_others(tmp_path: Path) -> None:
    commit(tmp_path / "a", {"a.py": TRAIN})
    commit(tmp_path / "b", {"b.py": TRAIN})
    commit(tmp_path / "c", {"c.py": TRAIN})
    tree = git(tmp_path / "a", "rev-parse", "HEAD^{tree}")
    (tmp_path / "a" / ".git" / "objects" / tree[:2] / tree[2:]).unlink()
    head = git(tmp_path / "b", "rev-parse", "HEAD:b.py")
    damaged = tmp_path / "b" / ".git" / "objects" / head[:2] / head[2:]
    damaged.chmod(0o644)
    damaged.write_bytes(b"not zlib")
    crawl = Crawl(tmp_path)
    assert list(crawl.files()) == ["c.py"]
    assert {f.subject_id for f in crawl.of(Failure)} == {"a", "b"}
    assert "a" not in crawl.cursors
    assert len(crawl.said) >= 1


def test_git_ends_when_the_reader_leaves(tmp_path: Path) -> None:
    commit(tmp_path / "proj", {f"{i}.py": f"import peft  # {i}" + "x" * 100_000 for i in range(20)})
    repository = GitRepository(tmp_path / "proj" / ".git")
    shas = [entry.sha for entry in repository.files(repository.commit(None))]
    children = Path(f"/proc/self/task/{os.getpid()}/children")
    others = set(children.read_text().split()) if children.exists() else set()
    blobs = repository.blobs(shas * 20)
    assert next(iter(blobs))
    before = set(children.read_text().split()) - others if children.exists() else set()
    blobs.close()  # type: ignore[attr-defined]
    if children.exists():
        assert before
        assert not before & set(children.read_text().split())


def test_what_stands_in_the_way_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def source(*paths: Path) -> Code:
        return Code(paths, CLASSES, lambda line: None)

    assert "no folder" in str(source().unavailable())
    assert str(tmp_path / "absent") in str(source(tmp_path / "absent").unavailable())
    commit(tmp_path / "proj", {"a.py": TRAIN})
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "git" in str(source(tmp_path / "proj").unavailable())
    assert "git" in str(source(tmp_path).unavailable())
    write(tmp_path / "plain", {"a.py": TRAIN})
    assert source(tmp_path / "plain").unavailable() is None


def test_open_source_reads_the_registry_and_the_options(tmp_path: Path) -> None:
    commit(tmp_path / "a", {"a.py": "from peft import BoneConfig"})
    commit(tmp_path / "b", {"b.py": "from peft import LoHaConfig"})

    def techniques(options: SourceOptions) -> Iterable[str | None]:
        pages = code.open_source(options, lambda line: None).pages({})
        return [r.technique for page in pages for r in page.records if isinstance(r, CodeImport)]

    assert techniques(SourceOptions(path=str(tmp_path / "a"))) == ["bone"]
    assert techniques(SourceOptions(extra={"paths": [str(tmp_path / "a"), str(tmp_path / "b")]})) == ["bone", "loha"]
    kept = code.open_source(SourceOptions(path=str(tmp_path / "a"), extra={"keep_text": True}), lambda line: None)
    assert [r.text for page in kept.pages({}) for r in page.records if isinstance(r, CodeFile)] == [
        "from peft import BoneConfig"
    ]
