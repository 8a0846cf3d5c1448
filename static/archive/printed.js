/* The print button of a conversation, and the access log's entry when it is printed by any means. */
(() => {
  "use strict";
  const form = document.querySelector("[data-printed]");
  if (!form) return;
  const button = form.querySelector("[data-print]");
  if (button) {
    button.hidden = false;
    button.addEventListener("click", () => print());
  }
  addEventListener("beforeprint", () => {
    const headers = { "X-CSRFToken": form.elements.csrfmiddlewaretoken.value };
    fetch(form.dataset.printed, { method: "POST", headers, credentials: "same-origin", keepalive: true });
  });
})();
