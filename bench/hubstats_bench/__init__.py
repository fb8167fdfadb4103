"""The bench of hubstats: fine-tunes techniques and measures what they reach and cost.

Two halves. The plain half knows no torch and works on any laptop: experiments (`experiment`), what is to be run
(`spec`, `choose`, `plan`, `benchable`, `cost`), tasks (`tasks`, `answers`, `origins`, `prose`), results (`result`),
the sweep (`runner`), the search for learning rates (`tune`, `rates`) and what the results tell (`compare`, `paired`).
The other half is loaded only inside the process of one run (`worker`): `base_model`, `build`, `needs`, `inits`,
`batches`, `objective`, `train`, `generate`, `evaluate`, `verify`, `measure`. It is the only code of the project that
may import torch.
"""

from __future__ import annotations

RECIPE = 1
"""Goes up whenever a change of this package changes what a run computes: older results then stand for themselves."""
