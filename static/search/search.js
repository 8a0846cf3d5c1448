/* Search: the field that `/` and `s` focus, results that come back with Back, and hit words marked in the message
 * that is opened. Questions and words stay in this tab's session storage and in no address; they are forgotten
 * on logout. */
(() => {
  "use strict";
  if (window.sdkSearchIsLoaded) return;
  window.sdkSearchIsLoaded = true;
  const ASKED = "sdk-search-asked";
  const PENDING = "sdk-search-pending";
  const MARKS = "sdk-search-marks";
  const KEYS_OFF = "sdk-keys-off";
  // As long as a session may be idle.
  const LONGEST_MS = 30 * 60 * 1000;
  const MOST_MARKED = 500;

  const stored = (name) => {
    try {
      const value = JSON.parse(sessionStorage.getItem(name));
      return value && Date.now() - value.at < LONGEST_MS ? value : null;
    } catch {
      return null;
    }
  };
  const store = (name, value) => {
    try {
      sessionStorage.setItem(name, JSON.stringify({ ...value, at: Date.now() }));
    } catch {
      /* Without storage everything but Back works. */
    }
  };
  const forget = (...names) => {
    try {
      for (const name of names) sessionStorage.removeItem(name);
    } catch {
      /* There is nothing to forget. */
    }
  };
  const areKeysOff = () => {
    try {
      return Boolean(localStorage.getItem(KEYS_OFF));
    } catch {
      return false;
    }
  };

  // Before keys.js, for which `s` is a link.
  document.addEventListener(
    "keydown",
    (event) => {
      if (event.key !== "/" && event.key !== "s") return;
      if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || areKeysOff()) return;
      if (event.target.closest("input, select, textarea, [contenteditable]")) return;
      const field = document.querySelector("[data-search-field]");
      if (!field) return;
      event.preventDefault();
      event.stopImmediatePropagation();
      field.focus();
      field.select();
    },
    true,
  );

  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.matches('form[action$="/logga-ut"]')) forget(ASKED, PENDING, MARKS);
    if (!form.matches("[data-search-box]")) return;
    const question = form.elements.question.value.trim();
    event.preventDefault();
    if (!question) return;
    // A page that was posted could not be returned to.
    store(PENDING, { question });
    location.assign(form.action);
  });

  const form = document.querySelector("form[data-search]");
  const hits = document.getElementById("hits");

  const fieldsOf = () =>
    [...form.elements]
      .filter((field) => field.name && field.name !== "csrfmiddlewaretoken")
      .map((field) => [field.name, field.type === "checkbox" ? field.checked : field.value]);

  const fill = (fields) => {
    for (const [name, value] of fields) {
      const field = form.elements[name];
      if (!field) continue;
      if (field.type === "checkbox") field.checked = value;
      else field.value = value;
    }
    const filters = form.querySelector("details");
    if (filters) filters.open = fields.some(([name, value]) => name !== "question" && value);
  };

  const nextSwap = () => new Promise((done) => hits.addEventListener("htmx:afterSwap", done, { once: true }));

  const ask = async (pages, scroll) => {
    const swapped = nextSwap();
    form.requestSubmit();
    await swapped;
    for (let page = 1; page < pages; page += 1) {
      const further = hits.querySelector("form.further");
      if (!further) break;
      const more = nextSwap();
      further.requestSubmit();
      await more;
    }
    if (scroll) scrollTo(0, scroll);
  };

  const begin = () => {
    const asked = stored(ASKED);
    const pending = stored(PENDING);
    forget(PENDING);
    const [navigation] = performance.getEntriesByType("navigation");
    if (pending) {
      form.elements.question.value = pending.question;
      ask(1, 0);
    } else if (asked && asked.person === form.dataset.search && navigation.type === "back_forward") {
      fill(asked.fields);
      ask(asked.pages, asked.scroll);
    }
  };

  if (form && hits) {
    addEventListener("pagehide", () => {
      if (!hits.childElementCount) return;
      const pages = 1 + Number(hits.dataset.further || 0);
      store(ASKED, { person: form.dataset.search, fields: fieldsOf(), pages, scroll: scrollY });
    });
    hits.addEventListener("htmx:beforeRequest", (event) => {
      if (event.target.matches("form.further")) hits.dataset.further = Number(hits.dataset.further || 0) + 1;
    });
    form.addEventListener("htmx:beforeRequest", () => {
      hits.dataset.further = 0;
    });
    hits.addEventListener("click", (event) => {
      const link = event.target.closest("a[data-marks]");
      if (link) store(MARKS, { path: new URL(link.href).pathname, words: link.dataset.marks.split("\n") });
    });
    // htmx is loaded before: both are deferred.
    if (document.readyState === "complete") begin();
    else addEventListener("load", begin, { once: true });
  }

  // Marks the words of the hit in the texts of the conversation that it led to.
  const mark = () => {
    const marks = stored(MARKS);
    if (!marks || marks.path !== location.pathname) return;
    const words = marks.words.filter(Boolean).sort((a, b) => b.length - a.length);
    if (!words.length) return;
    const escaped = words.map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
    const pattern = new RegExp(`(?<![\\p{L}\\p{N}])(?:${escaped.join("|")})(?![\\p{L}\\p{N}])`, "giu");
    let left = MOST_MARKED;
    for (const text of document.querySelectorAll(".document .text:not([data-marked])")) {
      text.dataset.marked = "";
      const walker = document.createTreeWalker(text, NodeFilter.SHOW_TEXT);
      const nodes = [];
      while (walker.nextNode()) nodes.push(walker.currentNode);
      for (const node of nodes) {
        const found = [...node.data.matchAll(pattern)].slice(0, left);
        left -= found.length;
        for (const match of found.reverse()) {
          const range = document.createRange();
          range.setStart(node, match.index);
          range.setEnd(node, match.index + match[0].length);
          range.surroundContents(document.createElement("mark"));
        }
      }
    }
  };
  mark();
  document.addEventListener("htmx:afterSettle", mark);
})();
