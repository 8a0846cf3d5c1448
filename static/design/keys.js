/* Single keys (WCAG 2.1.4): `?` tells them, and the help page is where they are turned off.
   An element with data-key is pressed by its key: a link or button is clicked, a field gets focus. */
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
  const isShown = (element) => element.checkVisibility?.() ?? true;
  const press = (element) => {
    if (element.matches("input, textarea, select")) {
      element.focus();
      return;
    }
    if (element.matches("summary")) {
      element.parentElement.open = !element.parentElement.open;
      const field = element.parentElement.querySelector("input:not([type=hidden]), textarea, select");
      if (element.parentElement.open && field) field.focus();
      return;
    }
    element.click();
  };
  const search = () =>
    [...document.querySelectorAll('form[action$="/sok"] input[type=search]')].find((field) => isShown(field));

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || kept?.getItem(OFF)) return;
    if (event.key === "Escape") {
      const open = event.target.closest("details.drop-down[open]");
      if (open) {
        open.open = false;
        open.querySelector("summary").focus();
      }
      return;
    }
    if (event.target.closest("input:not([type=checkbox]), select, textarea, [contenteditable], dialog")) return;
    if (event.key === "?") {
      const help = document.getElementById("keys-help");
      if (help) {
        event.preventDefault();
        help.showModal();
        return;
      }
    }
    const field = event.key === "/" || event.key === "s" ? search() : null;
    if (field && isShown(field)) {
      event.preventDefault();
      field.focus();
      return;
    }
    if (!document.dispatchEvent(new CustomEvent("sdk-key", { detail: event.key, cancelable: true }))) {
      event.preventDefault();
      return;
    }
    const key = event.key === "/" ? "s" : event.key;
    const element = [...document.querySelectorAll("[data-key]")].find(
      (one) => one.dataset.key === key && (isShown(one) || one.matches("a")),
    );
    if (element) {
      event.preventDefault();
      press(element);
    }
  });
})();
