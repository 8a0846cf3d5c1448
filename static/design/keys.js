/* Single keys that lead somewhere (WCAG 2.1.4): told of on the help page, where they are turned off. */
(() => {
  "use strict";
  const OFF = "sdk-keys-off";
  const kept = (() => {
    try {
      localStorage.getItem(OFF);
      return localStorage;
    } catch {
      return null;
    }
  })();
  const choice = document.getElementById("keys");
  if (choice && kept) {
    choice.disabled = false;
    choice.checked = !kept.getItem(OFF);
    choice.addEventListener("change", () => {
      if (choice.checked) kept.removeItem(OFF);
      else kept.setItem(OFF, "1");
    });
  }
  const move = (step) => {
    const links = [...document.querySelectorAll(".conversations .subject a")];
    const next = links[Math.max(0, links.indexOf(document.activeElement) + step)];
    if (next) next.focus();
    return Boolean(next);
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || (kept && kept.getItem(OFF))) return;
    if (event.target.closest("input, select, textarea, [contenteditable]")) return;
    if (event.key === "j" || event.key === "k") {
      if (move(event.key === "j" ? 1 : -1)) event.preventDefault();
      return;
    }
    const link = [...document.querySelectorAll("a[data-key]")].find((one) => one.dataset.key === event.key);
    if (link) {
      event.preventDefault();
      link.click();
    }
  });
})();
