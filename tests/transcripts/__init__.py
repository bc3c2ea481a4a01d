"""Dialogues of real sendmail and Postfix, observed and played again."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDER = Path(os.environ.get("FILTERD_SHARED", ROOT.parent / "shared")) / "transcripts"
"""Where the observed dialogues are."""
