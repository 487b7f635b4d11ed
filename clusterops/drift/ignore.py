"""Drift that is not to be told: by rule, by annotation, and by right."""

from __future__ import annotations

from typing import Final

IGNORE_ANNOTATION: Final = "clusterops.io/ignore-drift"
