// Lets every table be sorted by its headings. Without this script it is in the report's own order.
(() => {
  "use strict";
  function valueOf(cell, numeric) {
    const known = cell.dataset.value ?? cell.querySelector("[data-value]")?.dataset.value;
    if (known !== undefined) return parseFloat(known);
    const text = cell.textContent.trim();
    return numeric ? parseFloat(text.replaceAll(",", "")) : text.toLowerCase();
  }

  const missing = (value) => value === "" || value === "—" || Number.isNaN(value);

  function compare(one, other) {
    if (typeof one === "number" && typeof other === "number") return one - other;
    return String(one).localeCompare(String(other), undefined, { numeric: true });
  }

  for (const table of document.querySelectorAll(".kairos .scroll > table")) {
    const body = table.tBodies[0];
    const headings = [...table.tHead.rows[0].cells];
    const original = [...body.rows];
    if (original.length < 2) continue;

    headings.forEach((heading, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...heading.childNodes);
      heading.append(button);
      const numeric = heading.classList.contains("number");

      button.addEventListener("click", () => {
        // Up, down, and back to the report's own order.
        const next = { ascending: "descending", descending: null }[heading.ariaSort];
        const order = next === undefined ? "ascending" : next;
        for (const other of headings) other.removeAttribute("aria-sort");
        if (order) heading.setAttribute("aria-sort", order);
        const rows = original.map((row) => ({ row, value: valueOf(row.cells[column], numeric) }));
        if (order) {
          const sign = order === "ascending" ? 1 : -1;
          // What was not measured comes last in either direction.
          rows.sort((one, other) =>
            missing(one.value) || missing(other.value)
              ? missing(one.value) - missing(other.value)
              : sign * compare(one.value, other.value));
        }
        body.append(...rows.map(({ row }) => row));
      });
    });
  }
})();
