/* The ledger as a map: its tally filters the table, beside it words filter and a list sorts. Without this script the
   table is whole, in the paper's order. It also opens the fold that a link leads into. */
(() => {
  const make = (tag, properties, ...children) => {
    const made = Object.assign(document.createElement(tag), properties);
    made.append(...children);
    return made;
  };

  function openFold() {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    const fold = target?.matches("details") ? target : target?.querySelector(":scope > details") ?? target?.closest("details");
    if (fold && !fold.open) {
      fold.open = true;
      target.scrollIntoView();
    }
  }

  function mapLedger(table, tally) {
    const body = table.tBodies[0];
    const rows = [...body.rows].map((row, place) => ({
      row, place,
      verdict: row.querySelector("p.verdict").textContent.trim(),
      name: row.cells[0].textContent.trim(),
      words: row.textContent.toLowerCase(),
    }));
    const order = [], chosen = new Set();
    const told = make("p", {className: "map-told"});
    told.setAttribute("role", "status");
    const words = make("input", {type: "search", placeholder: "Dyck, Fig 5, LDR …"});
    const sort = make("select", {}, ...["the paper's order", "verdict", "name"].map(text => make("option", {textContent: text})));

    const verdicts = [...tally.querySelectorAll(".verdict")].map(badge => badge.textContent.trim());
    const before = {
      "the paper's order": (a, b) => a.place - b.place,
      "verdict": (a, b) => verdicts.indexOf(a.verdict) - verdicts.indexOf(b.verdict) || a.place - b.place,
      "name": (a, b) => a.name.localeCompare(b.name),
    };

    function show() {
      const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      for (const one of rows) {
        const fits = (!chosen.size || chosen.has(one.verdict)) && wanted.every(word => one.words.includes(word));
        one.row.hidden = !fits;
        shown += fits;
      }
      body.append(...[...rows].sort(before[sort.value]).map(one => one.row));
      told.textContent = shown === rows.length ? `${rows.length} claims` : `${shown} of ${rows.length} claims`;
    }

    for (const item of tally.children) {
      const verdict = item.querySelector(".verdict").textContent.trim();
      const button = make("button", {type: "button"}, ...item.querySelector("p").childNodes);
      button.setAttribute("aria-pressed", "false");
      button.addEventListener("click", () => {
        chosen.has(verdict) ? chosen.delete(verdict) : chosen.add(verdict);
        button.setAttribute("aria-pressed", String(chosen.has(verdict)));
        show();
      });
      item.replaceChildren(button);
    }
    words.addEventListener("input", show);
    sort.addEventListener("change", show);
    addEventListener("hashchange", () => {  // what is linked to must be seen
      if (document.getElementById(decodeURIComponent(location.hash.slice(1)))?.hidden) {
        chosen.clear();
        words.value = "";
        for (const button of tally.querySelectorAll("button")) button.setAttribute("aria-pressed", "false");
        show();
        document.getElementById(decodeURIComponent(location.hash.slice(1))).scrollIntoView();
      }
    });
    const controls = make("div", {className: "map-controls"},
      make("label", {}, "Filter by words ", words), make("label", {}, "Sort by ", sort), told);
    const holder = table.closest(".pst-scrollable-table-container") ?? table;
    holder.before(controls);
    show();
  }

  function opening(figure) {
    const knob = figure.querySelector("input[type=range]"), moments = [...figure.querySelectorAll(".moment")];
    const show = () => {
      moments.forEach((moment, place) => moment.hidden = place !== Number(knob.value));
      const step = moments[knob.value].dataset.step;
      knob.setAttribute("aria-valuetext", step);
      figure.querySelector("output").textContent = step;
    };
    knob.disabled = false;
    knob.addEventListener("input", show);
    show();
  }

  document.addEventListener("DOMContentLoaded", () => {
    const table = document.querySelector("table.ledger.map"), tally = document.querySelector("ul.tally");
    if (table && tally) mapLedger(table, tally);
    document.querySelectorAll("figure.opening").forEach(opening);
    openFold();
    addEventListener("hashchange", openFold);
  });
})();
