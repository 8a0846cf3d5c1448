/* Live updates: the stream only says "fetch again". Where it is away, the page asks once a minute.
   What did not change is not touched; focus and opened details stay where they were. */
(() => {
  "use strict";
  const status = document.getElementById("status");
  const TOKEN = /name="csrfmiddlewaretoken" value="[^"]*"/g;
  const refresh = () => document.body.dispatchEvent(new CustomEvent("mailbox-changed", { bubbles: true }));
  let heard = 0;

  const stream = new EventSource(document.body.dataset.events);
  stream.addEventListener("changed", () => { heard = Date.now(); refresh(); });
  // Who is at the conversation that the page shows: nothing else of it is fetched again.
  stream.addEventListener("presence", () => { document.body.dispatchEvent(new CustomEvent("presence-changed", { bubbles: true })); });
  // Whoever was locked or logged out meanwhile keeps no page open: the login takes its place. A page with text
  // that could not be saved keeps that.
  stream.addEventListener("ended", () => {
    stream.close();
    if (document.body.dispatchEvent(new CustomEvent("login-ended", { cancelable: true }))) location.reload();
  });
  // What the person may see no more is not left on the screen either.
  document.body.addEventListener("htmx:responseError", (event) => {
    if (event.detail.xhr.status === 404 && event.detail.target.matches("[data-live]")) { stream.close(); location.reload(); }
  });
  setInterval(() => {
    if (stream.readyState !== EventSource.OPEN && Date.now() - heard > 60000) refresh();
  }, 60000);
  addEventListener("pagehide", () => stream.close());

  const plain = (html) => html.replace(TOKEN, "").replace(/\s+/g, " ").trim();
  const areas = document.querySelectorAll("[data-live]");
  const remembered = new WeakMap();
  // As the server writes it, which is not how the browser gives it back.
  areas.forEach((area) => remembered.set(area, { html: null, text: area.textContent }));

  // A press is not lost: what is pressed is not replaced before it is let go, when its click has been heard.
  let isPressed = false;
  let isHeldBack = false;
  const press = () => { isPressed = true; };
  const letGo = () => setTimeout(() => {
    isPressed = false;
    if (isHeldBack) { isHeldBack = false; refresh(); }
  }, 0);
  addEventListener("pointerdown", press, true);
  addEventListener("keydown", (event) => { if (event.key === " " || event.key === "Enter") press(); }, true);
  ["pointerup", "pointercancel", "keyup"].forEach((name) => addEventListener(name, letGo, true));
  addEventListener("blur", letGo);

  document.body.addEventListener("htmx:beforeSwap", (event) => {
    const state = remembered.get(event.detail.target);
    if (!state) return;
    if (isPressed) { isHeldBack = true; event.detail.shouldSwap = false; return; }
    const area = event.detail.target;
    const html = plain(event.detail.xhr.responseText);
    if (state.html === html) { event.detail.shouldSwap = false; return; }
    state.html = html;
    state.opened = [...area.querySelectorAll("details")].map((one) => one.open);
    const focusable = [...area.querySelectorAll("a, button, summary, input")];
    state.focused = focusable.indexOf(document.activeElement);
  });
  document.body.addEventListener("htmx:afterSwap", (event) => {
    const area = event.detail.target;
    const state = remembered.get(area);
    if (!state) return;
    area.querySelectorAll("details").forEach((one, index) => { if (state.opened[index]) one.open = true; });
    if (state.focused >= 0) {
      const again = area.querySelectorAll("a, button, summary, input")[state.focused];
      if (again) again.focus({ preventScroll: true });
    }
    if (state.text.replace(/\s+/g, " ") !== area.textContent.replace(/\s+/g, " ")) {
      status.textContent = "";
      setTimeout(() => { status.textContent = status.dataset.changed; }, 50);
    }
    state.text = area.textContent;
  });
})();
