"""The report: queries -> numbers -> one self-contained HTML page, and the same as JSON, CSV or PNG."""

from hubstats.report.findings import Finding
from hubstats.report.page import Page, build, page_data

__all__ = ["Finding", "Page", "build", "page_data"]
