/* Live updates: the stream only says "fetch again". Where it is away, the page asks once a minute.
   What did not change is not touched; focus and opened details stay where they were. */
(() => {
  "use strict";
  const status = document.getElementById("status");
  const TOKEN = /name="csrfmiddlewaretoken" value="[^"]*"/g;
  const refresh = () => document.body.dispatchEvent(new CustomEvent("mailbox-changed", { bubbles: true }));
  const events = window.openEvents(document.body.dataset.events, (name) => {
    if (name === "changed") refresh();
    // Who is at the conversation that the page shows: nothing else of it is fetched again.
    if (name === "presence") document.body.dispatchEvent(new CustomEvent("presence-changed", { bubbles: true }));
    // Whoever was locked or logged out meanwhile keeps no page open: the login takes its place. A page with text
    // that could not be saved keeps that.
    if (name === "ended" && document.body.dispatchEvent(new CustomEvent("login-ended", { cancelable: true })))
      location.reload();
  });
  // What the person may see no more is not left on the screen either.
  document.body.addEventListener("htmx:responseError", (event) => {
    if (event.detail.xhr.status === 404 && event.detail.target.matches("[data-live]")) {
      events.stop();
      location.reload();
    }
  });
  // Not all pages at the same moment.
  setInterval(
    () => {
      if (document.visibilityState !== "hidden" && !events.isHeard()) refresh();
    },
    60000 + Math.random() * 15000,
  );

  const plain = (html) => html.replace(TOKEN, "").replace(/\s+/g, " ").trim();
  const areas = document.querySelectorAll("[data-live]");
  const remembered = new WeakMap();
  // As the server writes it, which is not how the browser gives it back.
  areas.forEach((area) => remembered.set(area, { html: null, text: area.textContent }));

  // What a thing is, wherever in the area it stands then: what it leads to or does, or what it is called. Of
  // several alike each has its number.
  const FOCUSABLE = "a, button, summary, input";
  const named = (things) => {
    const counts = new Map();
    return [...things].map((one) => {
      const does =
        one.getAttribute("href") ||
        (one.form ? [one.form.getAttribute("action"), one.name, one.value] : one.textContent);
      const within = one.closest("[id]");
      const name = JSON.stringify([one.tagName, within ? within.id : "", does]);
      counts.set(name, (counts.get(name) || 0) + 1);
      return [`${name} ${counts.get(name)}`, one];
    });
  };

  // A press is not lost: what is pressed is not replaced before it is let go, when its click has been heard.
  let isPressed = false;
  let isHeldBack = false;
  const press = () => {
    isPressed = true;
  };
  const letGo = () =>
    setTimeout(() => {
      isPressed = false;
      if (isHeldBack) {
        isHeldBack = false;
        refresh();
      }
    }, 0);
  addEventListener("pointerdown", press, true);
  addEventListener(
    "keydown",
    (event) => {
      if (event.key === " " || event.key === "Enter") press();
    },
    true,
  );
  ["pointerup", "pointercancel", "keyup"].forEach((name) => addEventListener(name, letGo, true));
  addEventListener("blur", letGo);

  document.body.addEventListener("htmx:beforeSwap", (event) => {
    const state = remembered.get(event.detail.target);
    if (!state) return;
    if (isPressed) {
      isHeldBack = true;
      event.detail.shouldSwap = false;
      return;
    }
    const area = event.detail.target;
    const html = plain(event.detail.xhr.responseText);
    if (state.html === html) {
      event.detail.shouldSwap = false;
      return;
    }
    state.html = html;
    state.opened = new Set(
      named(area.querySelectorAll("summary"))
        .filter(([, one]) => one.parentElement.open)
        .map(([name]) => name),
    );
    const focused = named(area.querySelectorAll(FOCUSABLE)).find(([, one]) => one === document.activeElement);
    state.focused = focused && focused[0];
  });
  document.body.addEventListener("htmx:afterSwap", (event) => {
    const area = event.detail.target;
    const state = remembered.get(area);
    if (!state) return;
    named(area.querySelectorAll("summary")).forEach(([name, one]) => {
      if (state.opened.has(name)) one.parentElement.open = true;
    });
    if (state.focused) {
      const again = named(area.querySelectorAll(FOCUSABLE)).find(([name]) => name === state.focused);
      // What had focus is gone: nothing else gets it, but the next key goes on in the area.
      (again ? again[1] : area).focus({ preventScroll: true });
    }
    if (state.text.replace(/\s+/g, " ") !== area.textContent.replace(/\s+/g, " ")) {
      status.textContent = "";
      setTimeout(() => {
        status.textContent = status.dataset.changed;
      }, 50);
    }
    state.text = area.textContent;
  });
})();
