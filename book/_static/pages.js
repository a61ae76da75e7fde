/* What a page does beyond its text. Without this script all of it can still be read. */
document.addEventListener("DOMContentLoaded", () => {
  // The book's own contents are a landmark; a button is called what stands on it.
  const contents = document.querySelector(".bd-sidebar-primary");
  contents?.setAttribute("role", "navigation");
  contents?.setAttribute("aria-label", "Book");
  for (const button of document.querySelectorAll(".search-button-field")) button.removeAttribute("aria-label");

  const article = document.querySelector(".bd-article");
  if (!article) return;

  // A picture of a figure opens at its own size: with a click, by keys, or with a thumb.
  const dialog = Object.assign(document.createElement("dialog"), { className: "enlarged" });
  const close = Object.assign(document.createElement("button"), { type: "button", textContent: "Close" });
  const whole = Object.assign(document.createElement("div"), { tabIndex: 0 });
  close.addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", event => event.target.closest("img, button") || dialog.close());
  dialog.setAttribute("aria-label", "The figure at its full size");
  dialog.append(close, whole);
  document.body.append(dialog);
  for (const picture of article.querySelectorAll("figure:not(.opening) img, .cell_output img")) {
    const button = Object.assign(document.createElement("button"), { type: "button", className: "enlarge" });
    button.setAttribute("aria-label", "Enlarge the figure");
    const open = () => {
      const copy = picture.cloneNode();
      copy.removeAttribute("style");
      whole.replaceChildren(copy);
      dialog.showModal();
    };
    button.addEventListener("click", open);
    picture.addEventListener("click", open);
    const frame = Object.assign(document.createElement("span"), { className: "can-enlarge" });
    (picture.closest("a.image-reference") ?? picture).replaceWith(frame);
    frame.append(picture, button);
    const tell = () => picture.style.setProperty("--own-width", `${picture.naturalWidth}px`);
    if (picture.complete) tell();
    picture.addEventListener("load", tell);
  }

  // A table that is wider than the page gets smaller, or becomes a card for each row, with its column's name on each line.
  const tables = [...article.querySelectorAll("table:not(.ledger)")];
  for (const table of tables) {
    if (!table.tHead) table.classList.add("plain");
    const names = [...(table.tHead?.rows[0]?.cells ?? [])].map(cell => cell.textContent.trim());
    for (const row of table.tBodies[0]?.rows ?? [])
      [...row.cells].forEach((cell, place) => {
        cell.dataset.column = names[place] ?? "";
        cell.classList.toggle("long", cell.textContent.length > 40);
      });
  }
  const fit = () => {
    for (const table of tables) {
      const room = table.parentElement.clientWidth + 1;
      table.classList.remove("narrow", "cards");
      for (const smaller of ["narrow", "cards"])
        if (room > 1 && table.scrollWidth > room) table.classList.add(smaller);
      // Prose in columns of a phone is a word or two a line.
      if (room > 1 && room < 500 && [...table.rows].some(row => row.offsetHeight > 250)) table.classList.add("cards");
    }
  };
  fit();
  addEventListener("resize", fit);
  for (const fold of article.querySelectorAll("details")) fold.addEventListener("toggle", fit);
});
