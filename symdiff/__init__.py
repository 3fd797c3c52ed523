"""symdiff differentiates plain NumPy functions and writes the derivative out as source code."""
