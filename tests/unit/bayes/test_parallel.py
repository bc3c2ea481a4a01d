"""Several readers, here or on a cluster: the same scores, the same model."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from filterd.bayes.lab.evaluate import EvaluationPlan, Ours, run
from filterd.bayes.lab.measures import roca
from filterd.bayes.lab.parallel import AHEAD, BUNDLE, Readers
from filterd.bayes.lab.shards import train_shards
from filterd.bayes.model.online import OnlineModel
from filterd.bayes.model.store import load
from filterd.bayes.model.tokens import Hasher
from filterd.mailfiles.items import MailItem
from filterd.mailfiles.mail_file import CorpusError
from filterd.message import Message
from tests.helpers.commands import filterd
from tests.helpers.training_mail import mail

pytestmark = pytest.mark.slow


SALT = b"salt of the test"
COUNT = BUNDLE * 4 + 7


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """A Dask cluster on this machine: two workers that are processes of their own."""
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, scheduler_port=0
    ) as local:
        yield local.scheduler_address


def items(folder: Path, count: int = COUNT, wrong: int = 7) -> list[MailItem]:
    found = []
    for n in range(count):
        spam = n % 3 == 0
        path = folder / f"{n}.eml"
        # Some look like the other class, so that there is something to be wrong about.
        path.write_bytes(mail(n, spam=spam is not (n % wrong == 0)))
        found.append(MailItem(spam, str(path), path.read_bytes))
    return found


def scores(found: list[MailItem], readers: Readers) -> tuple[list[float], OnlineModel]:
    ours = Ours(OnlineModel.empty(), SALT)
    return run(found, EvaluationPlan(), ours, readers=readers).scores, ours.model


def assert_same(a: OnlineModel, b: OnlineModel) -> None:
    assert np.array_equal(a.weights, b.weights)
    assert np.array_equal(a.counts, b.counts)
    assert (a.spam, a.ham, a.spam_counted, a.ham_counted) == (
        b.spam,
        b.ham,
        b.spam_counted,
        b.ham_counted,
    )


def test_two_processes_give_the_scores_of_one(tmp_path: Path) -> None:
    found = items(tmp_path)
    one, two = scores(found, Readers()), scores(found, Readers(jobs=2))
    assert one[0] == two[0]
    assert_same(one[1], two[1])


def test_a_cluster_gives_the_scores_of_one_process(tmp_path: Path, cluster: str) -> None:
    found = items(tmp_path)
    one, many = scores(found, Readers()), scores(found, Readers(cluster=cluster))
    assert one[0] == many[0]
    assert_same(one[1], many[1])


@pytest.mark.parametrize(
    "plan", [EvaluationPlan("fixed"), EvaluationPlan("batch"), EvaluationPlan("immediate", 50)]
)
def test_what_learns_no_more_is_scored_elsewhere(
    plan: EvaluationPlan, tmp_path: Path, cluster: str
) -> None:
    found = items(tmp_path)
    trained = scores(found[:60], Readers())[1]

    def scored(readers: Readers) -> tuple[list[str], list[float]]:
        done = run(found, plan, Ours(trained.copy(), SALT), readers=readers)
        return done.names, done.scores

    one = scored(Readers())
    assert len(one[1]) == {"fixed": COUNT, "batch": COUNT - COUNT // 2}.get(
        plan.protocol, COUNT - 50
    )
    assert scored(Readers(jobs=2)) == one
    assert scored(Readers(cluster=cluster)) == one


def test_baselines_travel_too(tmp_path: Path, cluster: str) -> None:
    from filterd.bayes.lab.baselines import Baseline

    found = items(tmp_path, 40)
    one = run(found, EvaluationPlan(), Baseline("nb")).scores
    assert run(found, EvaluationPlan(), Baseline("nb"), readers=Readers(jobs=2)).scores == one
    assert (
        run(found, EvaluationPlan(), Baseline("nb"), readers=Readers(cluster=cluster)).scores == one
    )


def test_few_messages_are_in_memory_at_a_time(tmp_path: Path) -> None:
    read = 0

    def counted(n: int) -> Any:
        def content() -> bytes:
            nonlocal read
            read += 1
            return mail(n, spam=True)

        return content

    many = [MailItem(True, str(n), counted(n)) for n in range(2000)]
    stream = Readers(jobs=2).read(many, len)
    assert next(stream).octets == len(mail(0, spam=True))
    assert read <= 2 * (2 * AHEAD * BUNDLE)
    stream.close()  # type: ignore[attr-defined]


@pytest.mark.parametrize("shards", [1, 2, 5])
def test_parts_make_one_model_whoever_trains_them(
    shards: int, tmp_path: Path, cluster: str
) -> None:
    found = items(tmp_path, wrong=COUNT)
    one, _skips = train_shards(found, SALT, shards, Readers())
    assert_same(one, train_shards(found, SALT, shards, Readers(jobs=2))[0])
    assert_same(one, train_shards(found, SALT, shards, Readers(cluster=cluster))[0])
    assert (one.spam, one.ham) == (sum(n % 3 == 0 for n in range(COUNT)), COUNT - COUNT // 3)
    hasher = Hasher(SALT)
    tests = [(n, n % 2 == 0) for n in range(5000, 5200)]
    totals = [one.score(hasher.features(Message(mail(n, spam=spam)))).total for n, spam in tests]
    assert roca(np.array(totals), np.array([spam for _, spam in tests]), 0).value < 0.5


def test_one_part_is_training_in_order(tmp_path: Path) -> None:
    found = items(tmp_path)
    model, hasher = OnlineModel.empty(), Hasher(SALT)
    for item in found:
        model.learn(hasher.features(Message(item.read())), spam=bool(item.label))
    assert_same(train_shards(found, SALT, 1, Readers())[0], model)


def test_more_parts_than_messages_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="9 parts of 4 messages; 1 to 4 would do"):
        train_shards(items(tmp_path, 4), SALT, 9, Readers())


def test_a_message_that_cannot_be_read_is_named_wherever_it_is_read(tmp_path: Path) -> None:
    def gone() -> bytes:
        raise CorpusError("x.eml: cannot be read")

    found = [*items(tmp_path, 3), MailItem(True, "x.eml", gone)]
    with pytest.raises(CorpusError, match=r"x\.eml"):
        scores(found, Readers(jobs=2))
    with pytest.raises(CorpusError, match=r"x\.eml"):
        train_shards(found, SALT, 2, Readers(jobs=2))


def test_the_commands_take_jobs_and_a_cluster(
    tmp_path: Path,
    cluster: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    labels = ["spam" if item.label else "ham" for item in items(tmp_path, 90)]
    index = "".join(f"{label} {n}.eml\n" for n, label in enumerate(labels))
    (tmp_path / "index").write_text(index)
    (tmp_path / "filterd.toml").write_text('[filters.bayes]\nmodels = "models"\n')

    def command(*arguments: object) -> Any:
        status, out, err = filterd(
            monkeypatch, capsys, *arguments, "--config", tmp_path / "filterd.toml", "--json"
        )
        assert status == 0, err
        return json.loads(out)

    measured = [
        {k: v for k, v in command("evaluate", tmp_path, *how).items() if "second" not in k}
        for how in ([], ["--jobs", 2], ["--cluster", cluster])
    ]
    for one in measured:
        del one["peak_memory_mib"]
    assert measured[0] == measured[1] == measured[2]
    command("train", tmp_path)
    site = load(tmp_path / "models" / "current").model
    command("train", tmp_path, "--jobs", 2)
    assert_same(site, load(tmp_path / "models" / "current").model)
    command("train", tmp_path, "--shards", 3, "-j", 2, "-o", tmp_path / "parts.fdm")
    assert load(tmp_path / "parts.fdm").model.spam == 30


@pytest.mark.parametrize(
    ("arguments", "expected", "said"),
    [
        (["--cluster", "tcp://127.0.0.1:1"], 69, "--cluster tcp://127.0.0.1:1"),
        (["--cluster", "nonsense://x"], 69, "--cluster nonsense://x"),
        (["--shards", "2"], 64, "train --shards needs --output"),
    ],
)
def test_mistakes_are_one_line(
    arguments: list[str],
    expected: int,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("filterd.bayes.lab.parallel.CONNECT_SECONDS", 1.0)
    items(tmp_path, 4)
    (tmp_path / "index").write_text("spam 0.eml\nham 1.eml\n")
    (tmp_path / "filterd.toml").write_text('[filters.bayes]\nmodels = "models"\n')
    status, _out, err = filterd(
        monkeypatch, capsys, "train", tmp_path, *arguments, "--config", tmp_path / "filterd.toml"
    )
    assert status == expected
    assert said in err
    assert "Traceback" not in err
