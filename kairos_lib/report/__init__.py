"""The report: tables, charts and pages made from run folders."""
