"""What the site's own model has learned. Loads numpy."""

from __future__ import annotations

from filterd.bayes.model.classifier import Learned
from filterd.bayes.model.store import ModelFileError
from filterd.config.assembly import model_folder
from filterd.config.load import Settings
from filterd.ops.status import ModelStatus


def model_status(settings: Settings) -> ModelStatus:
    """The state of the model in the settings' folder; an error where it cannot be read."""
    folder = model_folder(settings)
    try:
        stored = folder.load_current()
    except (ModelFileError, OSError) as error:
        return ModelStatus(error=str(error))
    learned = Learned(stored.model.spam, stored.model.ham) if stored else Learned()
    return ModelStatus(
        folder.current() or 0,
        learned.spam,
        learned.ham,
        *learned.missing,
        round(learned.share, 3),
        changed=stored.card.created if stored else "",
    )
