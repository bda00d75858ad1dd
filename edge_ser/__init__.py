"""edge-ser: multimodal speech emotion recognition on the edge."""

from __future__ import annotations

__version__ = "0.1.0"
