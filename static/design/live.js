/* Live updates: the stream only says "fetch again". Where it is away, the page asks once a minute. */
(() => {
  "use strict";
  const status = document.getElementById("status");
  const refresh = () => {
    document.body.dispatchEvent(new CustomEvent("mailbox-changed", { bubbles: true }));
  };
  let heard = 0;
  let first = true;
  const stream = new EventSource(document.body.dataset.events);
  stream.addEventListener("changed", () => {
    heard = Date.now();
    // The stream says it once when it opens: what the page shows is that new already.
    if (first) { first = false; return; }
    refresh();
  });
  stream.addEventListener("error", () => { first = false; });
  setInterval(() => {
    if (stream.readyState !== EventSource.OPEN && Date.now() - heard > 60000) refresh();
  }, 60000);
  document.body.addEventListener("htmx:afterSwap", (event) => {
    const area = event.target;
    if (!area.dataset.live) return;
    const now = area.textContent;
    if (area.dataset.shown !== undefined && area.dataset.shown !== now) {
      status.textContent = "";
      setTimeout(() => { status.textContent = status.dataset.changed; }, 50);
    }
    area.dataset.shown = now;
  });
  addEventListener("pagehide", () => stream.close());
})();
