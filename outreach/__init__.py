"""Outreach: a city's conversation with its residents, from import to report.

Start reading at `outreach/sending/pipeline.py`; `docs/flow.md` tells the main path on one page.
"""

__version__ = "0.1.0"
