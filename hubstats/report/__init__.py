"""The report: queries -> charts -> one self-contained HTML page, and the findings on its first screen."""

from hubstats.report.findings import Finding
from hubstats.report.page import Page, build

__all__ = ["Finding", "Page", "build"]
