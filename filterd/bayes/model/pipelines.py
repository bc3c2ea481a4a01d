"""A site's own scikit-learn pipelines over text: what they read, how they are kept and opened.

A pipeline is anything of scikit-learn's that takes a list of strings and has `predict_proba`. It is
kept in a skops file: an archive of a description (JSON) and arrays, in which every type is named,
so that only types that are known to be harmless, or that the site listed, are ever made. Nothing is
unpickled. Source: https://skops.readthedocs.io/en/stable/persistence.html.

Imported by the filter `sklearn` and by its training; nothing else loads scikit-learn for it.
"""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from filterd.bayes.model.store import ModelFileError
from filterd.bayes.model.text import text_of
from filterd.message import Message
from filterd.system.bounded import open_regular
from filterd.system.durable import write_atomically

FILE_LIMIT = 512 << 20
"""Octets of a pipeline's file, and of what it holds unpacked; a vocabulary of a million words is
100 MB, and every worker has the memory that the daemon's start leaves it."""

CERTAIN = 1e-9
"""A probability nearer to 0 or 1 than this counts as this: log-odds must be finite."""

SPAM_LABELS = ("spam", "True", "1")
"""How a pipeline may call the class of spam, as text; the other class may have any name."""


def text_view(message: Message) -> str:
    """What a pipeline reads of a message: one `name: text` line for each header field that the
    classifier reads, then the headers of the parts and the visible text.

    Bounded as the classifier's own reading is (docs/filters/bayes.md). Never raises on what the
    message contains.
    """
    text = text_of(message)
    lines = [
        b"%b: %b" % (section.origin.encode(), section.text.strip())
        for section in text.words[: text.body_section]
    ]
    # The last section is the raw HTML, whose visible text is the one before.
    body = [section.text for section in text.words[text.body_section : -1]]
    return b"\n".join([*lines, b"", *body]).decode("utf-8", "replace")


def train(pipeline: Any, messages: Sequence[bytes], labels: Sequence[bool]) -> Any:
    """Fit a pipeline to messages, True for spam; its classes are named `spam` and `ham`.

    Raises ValueError for a pipeline that cannot give probabilities.
    """
    pipeline.fit(
        [text_view(Message(data)) for data in messages],
        ["spam" if spam else "ham" for spam in labels],
    )
    _spam_column(pipeline)
    return pipeline


def save_pipeline(path: Path, pipeline: Any) -> list[str]:
    """Write a pipeline as a skops file, the old one or the new one whatever happens.

    Returns the types in it that are not known to be harmless: the filter's setting `trusted` must
    list them. Raises OSError, and ValueError for a pipeline that skops cannot write.
    """
    import skops.io  # noqa: PLC0415  # with scikit-learn, slow to import
    from skops.io.exceptions import UnsupportedTypeException  # noqa: PLC0415

    _with_plain_vocabularies(pipeline)
    buffer = io.BytesIO()
    try:
        skops.io.dump(pipeline, buffer, compression=zipfile.ZIP_DEFLATED)
    except (UnsupportedTypeException, TypeError, AttributeError) as error:
        raise ValueError(f"the pipeline cannot be stored by skops: {error}") from None
    write_atomically(path, [buffer.getvalue()])
    return list(skops.io.get_untrusted_types(data=buffer.getvalue()))


def _with_plain_vocabularies(estimator: Any) -> None:
    """Make the numbers of vocabularies Python's own.

    scikit-learn leaves numpy's there when it limits the features, and skops keeps each of those in
    a member of its own: 50,000 take 18 seconds to open.
    """
    words = getattr(estimator, "vocabulary_", None)
    if isinstance(words, dict):
        estimator.vocabulary_ = {word: int(number) for word, number in words.items()}
    for name in ("steps", "transformer_list"):
        for step in getattr(estimator, name, ()):
            _with_plain_vocabularies(step[1])


class TextPipeline:
    """A pipeline from a file, as a judge of messages."""

    def __init__(self, path: Path, trusted: Collection[str] = ()) -> None:
        """Open it. trusted: types that may be made beside those that skops knows to be harmless.

        Raises ModelFileError for a file that is missing, foreign, damaged or too large, that holds
        a type that is not trusted, or whose pipeline gives no probability of spam.
        """
        self._pipeline = _loaded(path, trusted)
        try:
            self._column = _spam_column(self._pipeline)
        except ValueError as error:
            raise ModelFileError(path, str(error), _TRAIN) from None

    def log_odds(self, message: Message) -> float:
        """The log-odds of spam, always finite. Raises what the pipeline raises."""
        p = float(self._pipeline.predict_proba([text_view(message)])[0][self._column])
        if math.isnan(p):
            raise ValueError("the pipeline's probability is not a number")
        p = min(max(p, CERTAIN), 1.0 - CERTAIN)
        return math.log(p / (1.0 - p))


_TRAIN = "create one with `filterd train --sklearn`"


def _loaded(path: Path, trusted: Collection[str]) -> Any:
    import skops.io  # noqa: PLC0415  # with scikit-learn, slow to import

    try:
        with open_regular(path) as file:
            data = file.read(FILE_LIMIT + 1)
    except OSError as error:
        raise ModelFileError(path, f"cannot be read ({error.strerror})", _TRAIN) from None
    if len(data) > FILE_LIMIT:
        raise ModelFileError(path, f"is larger than {FILE_LIMIT} octets", "use fewer features")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            inside = sum(entry.file_size for entry in archive.infolist())
    except zipfile.BadZipFile:
        raise ModelFileError(
            path, "is not a skops file", f"pickle and joblib files are never read; {_TRAIN}"
        ) from None
    if inside > FILE_LIMIT:
        raise ModelFileError(
            path,
            f"unpacks to {inside} octets, {FILE_LIMIT} is the limit",
            "use fewer features",
        )
    try:
        unknown = sorted(set(skops.io.get_untrusted_types(data=data)) - set(trusted))
        if unknown:
            raise ModelFileError(
                path,
                f"holds types that are not trusted: {', '.join(unknown)}",
                "list them in `trusted` if you know that they are harmless",
            )
        return skops.io.loads(data, trusted=list(trusted))
    except ModelFileError:
        raise
    # A damaged description can make skops fail in any way; whichever, the file is of no use.
    except Exception as error:  # noqa: BLE001
        raise ModelFileError(
            path, f"cannot be opened ({type(error).__name__}: {error})"[:500], _TRAIN
        ) from None


def _spam_column(pipeline: Any) -> int:
    """Which column of `predict_proba` is spam's. Raises ValueError."""
    if not hasattr(pipeline, "predict_proba"):
        raise ValueError(
            "the pipeline has no predict_proba; wrap its classifier in CalibratedClassifierCV"
        )
    names = [str(name) for name in getattr(pipeline, "classes_", ())]
    found = [names.index(name) for name in SPAM_LABELS if name in names]
    if len(names) != 2 or len(found) != 1:
        raise ValueError(
            f"the pipeline's classes are {', '.join(names) or 'unknown'}; expected two, one "
            f"of them {' or '.join(SPAM_LABELS)}"
        )
    return found[0]
