"""What is read in the tables of a page, cell by cell."""

from __future__ import annotations

from bs4 import BeautifulSoup


def cells(page: str) -> list[str]:
    """The text of each cell below the headings; a number's note follows it after a space."""
    found = BeautifulSoup(page, "html.parser").select("tbody td, tbody th")
    return [" ".join(cell.get_text(" ").split()) for cell in found]
