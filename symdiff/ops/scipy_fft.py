"""scipy.fft: loaded when a program first meets it, since importing SciPy takes its time."""

from __future__ import annotations

import numpy as np
from scipy import fft

from symdiff.ops.fourier import frequencies, transforms
from symdiff.ops.primitive import composite

TRANSFORMS = transforms("scipy.fft", "scipy_", fft)

# NumPy's own, under other names
composite(fft.fftshift)(lambda x, axes=None: np.fft.fftshift(x, axes))
composite(fft.ifftshift)(lambda x, axes=None: np.fft.ifftshift(x, axes))
composite(fft.fftfreq)(frequencies(np.fft.fftfreq))
composite(fft.rfftfreq)(frequencies(np.fft.rfftfreq))
