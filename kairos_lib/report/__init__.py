"""The report: tables, charts and pages made from run folders.

`session` is what the analysis notebook calls, `export` turns its executed copy into a page.
"""
