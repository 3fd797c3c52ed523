"""The pipeline: named stages from a traced function to source."""

from __future__ import annotations
