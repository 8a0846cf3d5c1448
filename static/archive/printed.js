/* The print button of a conversation, and the access log's entry when it is printed by any means. */
(() => {
  "use strict";
  addEventListener("click", (event) => {
    if (event.target.closest?.("[data-print]")) print();
  });
  addEventListener("beforeprint", () => {
    // The conversation that is open now.
    const form = document.querySelector("[data-printed]");
    if (!form) return;
    const headers = { "X-CSRFToken": form.elements.csrfmiddlewaretoken.value };
    fetch(form.dataset.printed, { method: "POST", headers, credentials: "same-origin", keepalive: true });
  });
})();
