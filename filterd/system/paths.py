"""Where filterd's files are when the settings do not say: in a checkout beside the package, else in
the places that the Filesystem Hierarchy Standard gives to a service."""

from __future__ import annotations

from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]

CHECKOUT = _ROOT if (_ROOT / "pyproject.toml").is_file() else None
"""The project's root if the package runs from a checkout, else None."""

SYSTEM_CONFIG = Path("/etc/filterd/filterd.toml")

MODELS = CHECKOUT / "models" if CHECKOUT else Path("/var/lib/filterd/models")
QUARANTINE = CHECKOUT / "quarantine" if CHECKOUT else Path("/var/spool/filterd/quarantine")
RULES = CHECKOUT / "rules" if CHECKOUT else Path("/var/lib/filterd/rules")
