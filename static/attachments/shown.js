/* Shows an attachment in the page, in a frame that may do nothing. Without this script the link opens it by itself. */
(() => {
  "use strict";
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-shows]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    const area = document.getElementById(link.dataset.shows);
    if (!area) return;
    event.preventDefault();
    if (!area.firstChild) {
      const frame = document.createElement("iframe");
      frame.setAttribute("sandbox", "");
      frame.title = area.dataset.title;
      frame.src = link.href;
      area.append(frame);
    }
    area.hidden = !area.hidden;
    link.setAttribute("aria-expanded", String(!area.hidden));
  });
  // Fetched again, the areas stay as they are (hx-preserve), and their links are new.
  const tellState = (part) => {
    part.querySelectorAll("a[data-shows]").forEach((link) => {
      const area = document.getElementById(link.dataset.shows);
      if (area?.firstChild) link.setAttribute("aria-expanded", String(!area.hidden));
    });
  };
  document.body.addEventListener("htmx:afterSwap", (event) => tellState(event.detail.target));
  document.body.addEventListener("sdk-updated", (event) => tellState(event.target));
})();
