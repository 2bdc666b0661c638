"""The report: tables, charts and pages made from run folders.

`report_session` is what the analysis notebook calls, `export` turns its executed copy into a page.
"""
