"""The filter `sklearn`: pipelines of the site's own, stored by skops, never unpickled."""

from __future__ import annotations

import json
import math
import pickle
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.bayes.model.pipelines import TextPipeline, save_pipeline, text_view, train
from filterd.bayes.model.store import ModelFileError
from filterd.cli.app import main
from filterd.filters.points import DEFAULT_POINTS
from filterd.filters.sklearn.filter import Sklearn
from filterd.filters.sklearn.settings import SklearnSettings
from filterd.message import Message
from tests.helpers.training_mail import mail, message

pytestmark = pytest.mark.slow


ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "docs" / "filters" / "sklearn.md"


def examples(first: int, last: int) -> tuple[list[bytes], list[bool]]:
    labels = [n % 2 == 0 for n in range(first, last)]
    return [mail(n, spam=s) for n, s in zip(range(first, last), labels, strict=True)], labels


def naive_bayes() -> Any:
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.naive_bayes import MultinomialNB
    from sklearn.pipeline import make_pipeline

    return make_pipeline(CountVectorizer(), MultinomialNB())


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pipelines") / "nb.skops"
    assert save_pipeline(path, train(naive_bayes(), *examples(0, 80))) == []
    return path


def blocks(language: str) -> list[str]:
    """The code blocks of the page that are of that language."""
    parts = PAGE.read_text(encoding="utf-8").split(f"```{language}\n")[1:]
    return [part.split("```")[0] for part in parts]


@pytest.mark.parametrize("name", ["MultinomialNB", "LogisticRegression"])
def test_each_pipeline_of_the_page_runs_as_it_stands_there(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (code,) = (block for block in blocks("python") if name in block and "def make" in block)
    (tmp_path / "pipeline.py").write_text(code)
    lines = []
    for n, (data, spam) in enumerate(zip(*examples(0, 120), strict=True)):
        (tmp_path / f"{n}.eml").write_bytes(data)
        lines.append(f"{'spam' if spam else 'ham'} {n}.eml\n")
    (tmp_path / "index").write_text("".join(lines))
    output = tmp_path / "site.skops"
    monkeypatch.setattr(
        "sys.argv",
        [
            "filterd",
            "train",
            "--sklearn",
            f"{tmp_path / 'pipeline.py'}:make",
            "--output",
            str(output),
            "--json",
            str(tmp_path),
        ],
    )
    with pytest.raises(SystemExit) as end:
        main()
    out, err = capsys.readouterr()
    assert end.value.code == 0, err
    report = json.loads(out)
    assert (report["spam"], report["ham"], report["untrusted"]) == (60, 60, [])
    chosen = Sklearn(SklearnSettings(model=output))
    chosen.prepare()
    for n in range(500, 520):
        spam = n % 2 == 0
        verdict = chosen.examine(message(n, spam=spam))
        assert verdict.probability is not None
        assert (verdict.probability > 0.5) == spam
        assert (verdict.score > 0) == spam
        assert verdict.symbols[0].name.startswith("SKLEARN_")


def test_the_script_of_the_page_does_the_same(tmp_path: Path) -> None:
    (script,) = (block for block in blocks("python") if "def make" not in block)
    for n, (data, spam) in enumerate(zip(*examples(0, 60), strict=True)):
        folder = tmp_path / ("spam" if spam else "ham")
        folder.mkdir(exist_ok=True)
        (folder / f"{n}.eml").write_bytes(data)
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        env={"PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr
    assert TextPipeline(tmp_path / "site.skops").log_odds(message(77, spam=True)) > 0


def test_what_is_stored_judges_as_what_was_trained(stored: Path) -> None:
    trained = train(naive_bayes(), *examples(0, 80))
    opened = TextPipeline(stored)
    for n in range(300, 320):
        one = message(n, spam=n % 2 == 0)
        p = trained.predict_proba([text_view(one)])[0][list(trained.classes_).index("spam")]
        assert 1 / (1 + math.exp(-opened.log_odds(one))) == pytest.approx(p, abs=1e-8)


def test_a_limited_vocabulary_is_one_part_of_the_file(tmp_path: Path) -> None:
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.naive_bayes import MultinomialNB
    from sklearn.pipeline import make_pipeline, make_union

    limited = make_pipeline(
        make_union(CountVectorizer(max_features=40), CountVectorizer(max_features=30)),
        MultinomialNB(),
    )
    path = tmp_path / "limited.skops"
    save_pipeline(path, train(limited, *examples(0, 40)))
    # Each of numpy's numbers would be a member, and opening a real one would take a minute.
    assert len(zipfile.ZipFile(path).namelist()) < 30
    assert TextPipeline(path).log_odds(message(77, spam=True)) > 0


def test_the_view_is_what_the_classifier_reads() -> None:
    one = Message(
        b"Subject: =?utf-8?q?caf=C3=A9?=\r\nX-Spam-Status: Yes\r\nFrom: a@b.example\r\n"
        b"Content-Type: text/html\r\n\r\n<p>visible <b>text</b><!-- no --></p>\r\n"
    )
    view = text_view(one)
    assert view.startswith("subject: café\nfrom: a@b.example\n")
    assert "visible text" in view
    assert "X-Spam" not in view
    assert "<p>" not in view


@given(st.binary(max_size=400))
def test_the_view_is_text_whatever_arrives(data: bytes) -> None:
    text_view(Message(data)).encode("utf-8")


class Odd:
    """A type that skops does not know."""

    classes_ = ("ham", "spam")

    def predict_proba(self, texts: list[str]) -> list[list[float]]:
        return [[0.25, 0.75] for _ in texts]


class NotANumber(Odd):
    def predict_proba(self, texts: list[str]) -> list[list[float]]:
        return [[math.nan, math.nan] for _ in texts]


ODD = f"{__name__}.Odd"


def test_a_type_that_is_not_trusted_is_refused_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "odd.skops"
    assert save_pipeline(path, Odd()) == [ODD]
    with pytest.raises(ModelFileError, match=rf"{ODD}; .*`trusted`"):
        Sklearn(SklearnSettings(model=path)).prepare()
    trusting = Sklearn(SklearnSettings(model=path, trusted=(ODD,)))
    assert trusting.examine(message(1, spam=True)).probability == pytest.approx(0.75)


def test_a_probability_that_is_no_number_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "odd.skops"
    save_pipeline(path, NotANumber())
    with pytest.raises(ValueError, match="not a number"):
        Sklearn(SklearnSettings(model=path, trusted=(f"{__name__}.NotANumber",))).examine(
            message(1, spam=True)
        )


def _three_classes() -> Any:
    return naive_bayes().fit(["one two", "three four", "five six"], ["spam", "ham", "eggs"])


def _no_probability() -> Any:
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.pipeline import make_pipeline
    from sklearn.svm import LinearSVC

    return make_pipeline(CountVectorizer(), LinearSVC()).fit(
        ["one two", "three four"], ["spam", "ham"]
    )


@pytest.mark.parametrize(
    ("make", "said"),
    [(_three_classes, "classes are eggs, ham, spam"), (_no_probability, "CalibratedClassifierCV")],
)
def test_a_pipeline_that_cannot_judge_is_refused(make: Any, said: str, tmp_path: Path) -> None:
    path = tmp_path / "wrong.skops"
    save_pipeline(path, make())
    with pytest.raises(ModelFileError, match=said):
        TextPipeline(path)


def test_pickles_are_never_read(tmp_path: Path) -> None:
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps(["anything"]))
    with pytest.raises(ModelFileError, match="is not a skops file"):
        TextPipeline(path)


def test_damaged_and_missing_files_say_so(stored: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="cannot be read"):
        TextPipeline(tmp_path / "absent.skops")
    for cut in (10, stored.stat().st_size // 2):
        path = tmp_path / "cut.skops"
        path.write_bytes(stored.read_bytes()[:cut])
        with pytest.raises(ModelFileError):
            TextPipeline(path)
    with zipfile.ZipFile(tmp_path / "schema.skops", "w") as archive:
        archive.writestr("schema.json", '{"__class__": 3}')
    with pytest.raises(ModelFileError, match="cannot be opened"):
        TextPipeline(tmp_path / "schema.skops")


def test_an_archive_that_unpacks_to_too_much_is_not_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("filterd.bayes.model.pipelines.FILE_LIMIT", 1 << 20)
    path = tmp_path / "bomb.skops"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("schema.json", b" " * (2 << 20))
    assert path.stat().st_size < 1 << 20
    with pytest.raises(ModelFileError, match="unpacks to 2097152 octets"):
        TextPipeline(path)


def test_without_a_file_it_does_not_start() -> None:
    with pytest.raises(ValueError, match=r"names no file; `filterd train --sklearn`"):
        Sklearn(SklearnSettings()).prepare()


def test_it_is_opened_once(stored: Path, tmp_path: Path) -> None:
    path = tmp_path / "site.skops"
    path.write_bytes(stored.read_bytes())
    chosen = Sklearn(SklearnSettings(model=path))
    chosen.prepare()
    before = chosen.examine(message(5, spam=True))
    path.unlink()
    assert chosen.examine(message(5, spam=True)) == before


def test_the_points_are_those_of_the_classifier() -> None:
    from filterd.filters.bayes.settings import BayesSettings

    assert SklearnSettings().points == BayesSettings().points == DEFAULT_POINTS


def test_scikit_learn_is_imported_only_for_a_chain_that_has_it(tmp_path: Path) -> None:
    (tmp_path / "filterd.toml").write_text("")
    code = (
        "import sys, pathlib, filterd.config.load, filterd.config.assembly\n"
        f"read = filterd.config.load.load(pathlib.Path({str(tmp_path / 'filterd.toml')!r}))\n"
        "filterd.config.assembly.build_pipeline(read, keeping=False).chain.names\n"
        "import filterd.filters.sklearn.filter\n"
        "assert not [m for m in sys.modules if m.startswith(('sklearn', 'skops', 'scipy'))]"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, timeout=60)
