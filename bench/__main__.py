"""`python -m bench`: see bench/speed.py."""

from __future__ import annotations

import sys

from bench.speed import main

sys.exit(main())
