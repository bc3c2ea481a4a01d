"""Training runs: into one model file, or into the next version of a site's model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from filterd.bayes.lab.html_copies import with_html_copies
from filterd.bayes.lab.parallel import Readers
from filterd.bayes.lab.shards import train_parts
from filterd.bayes.lab.train import Progress, Source, TrainReport, train
from filterd.bayes.model.online import OnlineModel
from filterd.bayes.model.reading import FeatureReader
from filterd.bayes.model.store import STARTER_SALT, Card, StoredModel, load, save
from filterd.bayes.model.tokens import Features
from filterd.bayes.site import doubt
from filterd.bayes.site.folder import ModelFolder
from filterd.bayes.site.learner import Learner


def card_for(about: str, *, starter: bool = False, salt_of: Path | None = None) -> Card:
    """The card of a new model file. starter: of one that any site may begin with. salt_of: a model
    whose salt it takes, so that both can be merged. Raises ModelFileError."""
    card = Card(STARTER_SALT, "starter", about=about) if starter else Card.new(about=about)
    return card if salt_of is None else replace(card, salt=load(salt_of).card.salt)


def train_file(
    output: Path,
    card: Card,
    sources: Sequence[Source],
    progress: Progress,
    readers: Readers,
    *,
    shards: int = 1,
    doubting: bool = True,
) -> TrainReport:
    """Train a model of this mail alone and write it to a file; a starter model is packed, and
    learns some honest mail as HTML, too (not in parts).

    shards: parts of the mail that are trained apart and merged; labels are not doubted then.
    Raises CorpusError, ClusterError, OSError.
    """
    if shards > 1:
        model, report = train_parts(list(sources), card.salt, shards, readers)
    else:
        model = OnlineModel.empty()

        def teach(seen: tuple[Features, Features | None], spam: bool) -> bool:
            features, _theirs = seen
            if doubting:
                return doubt.learn(model, features, spam=spam)[1]
            model.learn(features, spam=spam)
            return False

        enlarge = with_html_copies if card.origin == "starter" else list
        reader = FeatureReader(card.salt)
        report = train(sources, reader, teach, progress, readers, enlarge=enlarge)
    save(output, StoredModel(card, model), packed=card.origin == "starter")
    return report


def train_site(
    folder: ModelFolder,
    learner: Learner,
    sources: Sequence[Source],
    progress: Progress,
    readers: Readers,
) -> tuple[Path, TrainReport]:
    """Train a new model for the site, note that in its journal, and put it in force.

    learner: a fresh one of that folder. Returns the new version's file. Raises CorpusError,
    ClusterError, JournalError, ModelFileError, OSError; then the former model stays in force.
    """

    def teach(seen: tuple[bytes, Features], spam: bool) -> bool:
        before = learner.doubted
        learner.learn_read(seen, spam=spam)
        return learner.doubted > before

    with learner:
        report = train(sources, learner.read, teach, progress, readers)
    return folder.version_path(learner.stored.card.generation), report
