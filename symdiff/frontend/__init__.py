"""The front end: plain Python to graphs."""

from symdiff.frontend import numpy_api as numpy_api
from symdiff.frontend.tracer import Tracer, lift

__all__ = ["Tracer", "lift"]
