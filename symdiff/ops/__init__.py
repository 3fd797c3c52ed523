"""What exists: one record per primitive.

Importing this package registers what is used most; `find` imports the rest where it is needed.
"""

from symdiff.ops import composite as composite
from symdiff.ops import composite_linalg as composite_linalg
from symdiff.ops import elementwise as elementwise
from symdiff.ops import linalg as linalg
from symdiff.ops import rearrange as rearrange
from symdiff.ops import reductions as reductions
from symdiff.ops import shaping as shaping
from symdiff.ops import stable as stable
