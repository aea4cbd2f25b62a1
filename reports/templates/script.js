"use strict";
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];

  // One run at a time when there are several; without this script they stand below each other.
  const tabs = all(".tabs a");
  const show = (id) => {
    for (const tab of tabs) {
      const chosen = tab.hash === `#${id}`;
      tab.setAttribute("aria-selected", chosen);
      document.getElementById(tab.hash.slice(1)).hidden = !chosen;
    }
  };
  if (tabs.length > 1) {
    for (const tab of tabs) {
      tab.setAttribute("role", "tab");
      tab.setAttribute("aria-controls", tab.hash.slice(1));
      document.getElementById(tab.hash.slice(1)).setAttribute("role", "tabpanel");
      tab.addEventListener("click", (event) => {
        event.preventDefault();
        show(tab.hash.slice(1));
        history.replaceState(null, "", tab.hash);
        scrollTo(0, 0);
      });
    }
    tabs[0].parentElement.setAttribute("role", "tablist");
    show(tabs[0].hash.slice(1));
  }

  // A link into something folded opens it.
  const reveal = () => {
    const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    const run = target.closest(".run");
    if (run && tabs.length > 1) show(run.id);
    for (let node = target; node; node = node.parentElement) {
      if (node instanceof HTMLDetailsElement) node.open = true;
      if (node.classList.contains("case")) node.hidden = false;
    }
    for (const details of all(":scope > details", target)) details.open = true;
    if (target !== run) target.scrollIntoView();
  };
  addEventListener("hashchange", reveal);
  reveal();

  // Filter the cases of a run by verdict and by words.
  for (const run of all(".run")) {
    const cases = all(".case", run);
    const chips = all(".chip", run);
    const search = run.querySelector("input[type=search]");
    const said = run.querySelector("[data-said]");
    const apply = () => {
      const off = new Set(chips.filter((chip) => chip.getAttribute("aria-pressed") === "false").map((chip) => chip.value));
      const words = (search ? search.value : "").toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      for (const item of cases) {
        const text = item.dataset.text.toLowerCase();
        item.hidden = off.has(item.dataset.verdict) || !words.every((word) => text.includes(word));
        shown += !item.hidden;
      }
      for (const group of all(".group", run)) group.hidden = all(".case", group).every((item) => item.hidden);
      if (said) said.textContent = shown === cases.length ? "" : `${shown} of ${cases.length} cases shown`;
    };
    for (const chip of chips) {
      chip.addEventListener("click", () => {
        chip.setAttribute("aria-pressed", chip.getAttribute("aria-pressed") === "false");
        apply();
      });
    }
    if (search) search.addEventListener("input", apply);
    for (const button of all("[data-fold]", run)) {
      button.addEventListener("click", () => cases.forEach((item) => { item.open = button.dataset.fold === "open"; }));
    }
  }

  // Sort a table by a column.
  for (const head of all("table.sortable thead th")) {
    const button = document.createElement("button");
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const body = head.closest("table").tBodies[0];
      const down = head.getAttribute("aria-sort") !== "descending";
      for (const other of head.parentElement.children) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const key = (row) => row.children[head.cellIndex].dataset.key;
      const numeric = head.classList.contains("num");
      const compare = (a, b) => (numeric ? Number(key(a)) - Number(key(b)) : key(a).localeCompare(key(b)));
      [...body.rows].sort((a, b) => (down ? compare(b, a) : compare(a, b))).forEach((row) => body.append(row));
    });
  }

  for (const button of all("[data-copy]")) {
    button.hidden = !navigator.clipboard;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(button.previousElementSibling.textContent);
      button.textContent = "copied";
      setTimeout(() => { button.textContent = "copy"; }, 1500);
    });
  }
})();
