/* Live updates: the stream only says "fetch again". Where it is away, the page asks once a minute.
   What is fetched changes the page in place (morph.js): nothing moves under a hand, and focus stays. */
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
  window.liveEvents = events;
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
  const remembered = new WeakMap();
  const memory = (area) => {
    if (!remembered.has(area)) remembered.set(area, { html: null, text: area.textContent });
    return remembered.get(area);
  };
  document.querySelectorAll("[data-live]").forEach(memory);

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

  // What waits is not moved under a pointer that moves among it: somebody is about to click.
  const HAND_MS = 3000;
  let movedAt = 0;
  let later = null;
  addEventListener(
    "pointermove",
    () => {
      movedAt = Date.now();
    },
    { capture: true, passive: true },
  );
  const isUnderHand = (area) => Date.now() - movedAt < HAND_MS && area.querySelector(".waiting:hover");

  // A list whose rows are looked at is not moved: rows that are there change in place, others wait until asked for.
  const isHeld = (rows) => {
    const pane = rows.closest(".list-pane");
    const scroller = pane && getComputedStyle(pane).overflowY !== "visible" ? pane : document.scrollingElement;
    return scroller.scrollTop > 0 || rows.matches(":hover") || rows.contains(document.activeElement);
  };
  const rowsInPlace = (old, fresh) => {
    const waiting = [];
    const ids = new Set([...fresh.children].map((row) => row.id));
    for (const row of [...fresh.children]) {
      const known = document.getElementById(row.id);
      if (known && old.contains(known)) window.morphNode(known, row);
      else waiting.push(row);
    }
    // What comes after the last that is known stands on the next page now.
    const rows = [...old.children];
    const end = rows.findLastIndex((row) => ids.has(row.id));
    rows.forEach((row, place) => row.classList.toggle("is-gone", place < end && !ids.has(row.id)));
    return waiting.length;
  };

  document.body.addEventListener("htmx:beforeSwap", (event) => {
    const area = event.detail.target;
    if (!area.matches("[data-live]") || event.detail.isError) return;
    const isByItself = Boolean(event.detail.requestConfig.headers["X-Background"]);
    event.detail.shouldSwap = false;
    if (isPressed && isByItself) {
      isHeldBack = true;
      return;
    }
    if (isByItself && isUnderHand(area)) {
      clearTimeout(later);
      later = setTimeout(refresh, HAND_MS);
      return;
    }
    const state = memory(area);
    const html = plain(event.detail.xhr.responseText);
    if (state.html === html && isByItself) return;
    const parsed = new DOMParser().parseFromString(event.detail.xhr.responseText, "text/html");
    const same = area.id ? parsed.getElementById(area.id) : null;
    const fresh = same || parsed.body;
    const oldRows = area.querySelector("[data-in-place]");
    const freshRows = fresh.querySelector("[data-in-place]");
    const news = area.querySelector("#news");
    if (isByItself && !area.dataset.now && oldRows && freshRows && isHeld(oldRows)) {
      // Everything but the rows, and the rows that are there.
      const count = rowsInPlace(oldRows, freshRows);
      if (news) {
        news.hidden = count === 0;
        news.textContent = `${count} ${count === 1 ? news.dataset.one : news.dataset.more}`;
      }
      state.html = count ? null : html;
    } else {
      delete area.dataset.now;
      const focused = area.contains(document.activeElement) ? document.activeElement : null;
      window.morph(area, same || wrapped(area, parsed.body));
      if (focused && !focused.isConnected) {
        // What had focus is gone: nothing else gets it, but the next key goes on in the area.
        area.focus({ preventScroll: true });
      }
      state.html = html;
      if (news) news.hidden = true;
    }
    notices(parsed);
    const side = parsed.getElementById("sidebar");
    const shownSide = document.getElementById("sidebar");
    if (side && shownSide) window.morph(shownSide, side);
    if (window.htmx) window.htmx.process(area);
    area.dispatchEvent(new CustomEvent("sdk-updated", { bubbles: true, detail: { isByItself } }));
    if (isByItself && state.text.replace(/\s+/g, " ") !== area.textContent.replace(/\s+/g, " ")) {
      status.textContent = "";
      setTimeout(() => {
        status.textContent = status.dataset.changed;
      }, 50);
    }
    state.text = area.textContent;
  });

  // An area without an id is made like the whole answer, its own attributes kept.
  const wrapped = (area, body) => {
    const copy = area.cloneNode(false);
    copy.append(...body.childNodes);
    return copy;
  };
  const notices = (parsed) => {
    const fresh = parsed.getElementById("notices");
    if (!fresh) return;
    const area = document.getElementById("notices");
    area.replaceChildren(...fresh.childNodes);
    window.htmx.process(area);
  };
  document.addEventListener("click", (event) => {
    if (!event.target.closest("#news")) return;
    const rows = document.querySelector("[data-in-place]");
    const pane = rows?.closest(".list-pane");
    if (pane) pane.scrollTop = 0;
    scrollTo(0, 0);
    document.dispatchEvent(new CustomEvent("sdk-fetch-list"));
  });
  window.liveArea = memory;
})();
