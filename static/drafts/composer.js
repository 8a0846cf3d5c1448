/* The reply in the thread: written, reviewed and sent at its foot, with the original in view. Without this script
   the same buttons lead to the pages of their own. */
(() => {
  "use strict";
  const OFF = "sdk-keys-off";
  let isBusy = false;
  let quoted = "";

  const composer = () => document.getElementById("composer");
  const place = () => document.getElementById("composer-place");
  const begins = () => document.querySelector(".composer-begin");

  // A selection in a message: who wrote it and when, then the words in italics (B1.3.3 4.3.3.2).
  const quoteOf = () => {
    const selection = getSelection();
    if (!selection || selection.isCollapsed) return "";
    const range = selection.getRangeAt(0);
    const start = range.startContainer;
    const within = start.nodeType === Node.ELEMENT_NODE ? start : start.parentElement;
    const text = within && within.closest("article.message .text");
    if (!text || text.closest("#composer")) return "";
    // A triple click ends in what comes after the text.
    if (!text.contains(range.endContainer))
      selection.setBaseAndExtent(start, range.startOffset, text, text.childNodes.length);
    if (!selection.toString().trim()) return "";
    const article = text.closest("article.message");
    const words = (one) => (one ? one.textContent.replace(/\s+/g, " ").trim() : "");
    const head = [words(article.querySelector("h2, h3")), words(article.querySelector("time"))].filter(Boolean);
    const lines = selection
      .toString()
      .replace(/\r/g, "")
      .trim()
      .split("\n")
      .map((line) => line.replace(/[*_]/g, "").trim())
      .map((line) => (line ? `*${line}*` : ""));
    return `${head.join(", ")}:\n${lines.join("\n").replace(/\n{3,}/g, "\n\n")}\n\n`;
  };
  const insertQuote = (quote) => {
    const area = place().querySelector("textarea[name=text]");
    if (!area || !quote) return;
    area.focus();
    const at = area.selectionStart;
    const before = area.value.slice(0, at);
    const lead = before && !before.endsWith("\n\n") ? (before.endsWith("\n") ? "\n" : "\n\n") : "";
    area.setRangeText(lead + quote, at, area.selectionEnd, "end");
    area.dispatchEvent(new Event("input", { bubbles: true }));
  };

  const tell = (text) => {
    const notice = document.createElement("p");
    notice.className = "notice error";
    notice.setAttribute("role", "alert");
    notice.textContent = text;
    place().prepend(notice);
  };
  const ask = async (address, data) => {
    const answer = await fetch(address, {
      method: data ? "POST" : "GET",
      body: data || undefined,
      credentials: "same-origin",
      headers: { "HX-Request": "true" },
    });
    const elsewhere = answer.headers.get("HX-Redirect");
    if (elsewhere) location.assign(elsewhere);
    const isPage = (html) => /^\s*<!doctype/i.test(html);
    const html = answer.status === 204 ? "" : await answer.text();
    if (elsewhere || answer.status >= 500 || answer.status === 403) throw new Error(String(answer.status));
    // A page, such as the login, is no fragment: it is gone to.
    if (isPage(html)) {
      location.assign(answer.url);
      throw new Error("page");
    }
    return html;
  };
  const show = (html, { isFocused = true } = {}) => {
    const holder = document.createElement("div");
    holder.innerHTML = html;
    const review = holder.querySelector(".composer-review");
    const old = place().querySelector("form.draft");
    if (review && old) {
      const within = place().querySelector("#composer-review");
      within.replaceChildren(review);
      old.hidden = true;
      review.focus();
      review.scrollIntoView({ block: "nearest" });
      return;
    }
    place().replaceChildren(...holder.childNodes);
    if (window.htmx) window.htmx.process(place());
    const form = place().querySelector("form.draft");
    if (begins()) begins().hidden = Boolean(place().querySelector("form, section"));
    if (form) {
      document.dispatchEvent(new CustomEvent("draft-shown", { detail: form }));
      const quotes = form.querySelector("[data-quotes]");
      if (quotes) quotes.hidden = false;
      const area = form.querySelector("textarea[name=text]");
      if (isFocused && area) {
        area.focus();
        // The signature stands last: one writes before it.
        if (form.draft.isUntouched() && area.value.startsWith("\n")) area.setSelectionRange(0, 0);
      }
      insertQuote(quoted);
      quoted = "";
      form.scrollIntoView({ block: "nearest" });
      return;
    }
    const waits = place().querySelector("[data-waits]");
    if (waits) watch(waits);
    if (place().querySelector("[data-sent], [data-waits]")) {
      if (begins()) begins().hidden = false;
      document.body.dispatchEvent(new CustomEvent("mailbox-changed", { bubbles: true }));
    }
    if (isFocused) place().focus({ preventScroll: true });
  };
  // What is about to be sent: when it has left, the thread shows it.
  const watch = (waits) => {
    const look = async () => {
      if (!document.contains(waits)) return;
      const holder = document.createElement("div");
      holder.innerHTML = await ask(waits.dataset.url).catch(() => "");
      const state = holder.querySelector("[data-state]");
      if (state && state.dataset.state === "gone") {
        waits.remove();
        document.body.dispatchEvent(new CustomEvent("mailbox-changed", { bubbles: true }));
      } else if (state && state.dataset.state === "writing") location.reload();
      else setTimeout(look, 1000);
    };
    setTimeout(look, Number(waits.dataset.waits) * 1000);
  };
  const load = async (address, data) => {
    if (isBusy || !place()) return;
    isBusy = true;
    try {
      show(await ask(address, data));
    } catch (error) {
      // Whoever has left the conversation meanwhile is told nothing of it.
      if (error.message !== "page" && composer()) tell(composer().dataset.failed);
    } finally {
      isBusy = false;
    }
  };
  const close = async () => {
    const form = place().querySelector("form.draft");
    if (form) {
      if (!(await form.draft.settle())) return;
      const data = new FormData();
      data.set("csrfmiddlewaretoken", form.elements.csrfmiddlewaretoken.value);
      await ask(form.dataset.leave, data).catch(() => "");
    }
    place().replaceChildren();
    if (begins()) {
      begins().hidden = false;
      begins().querySelector("button").focus();
    }
    document.body.dispatchEvent(new CustomEvent("mailbox-changed", { bubbles: true }));
  };

  addEventListener(
    "pointerdown",
    () => {
      quoted = quoteOf() || "";
    },
    true,
  );
  document.addEventListener("mousedown", (event) => {
    if (event.target.closest("[data-quotes]")) event.preventDefault();
  });
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (event.defaultPrevented || !composer()) return;
    const pressed = event.submitter;
    const address = (pressed && pressed.getAttribute("formaction")) || form.getAttribute("action") || "";
    const isInThread = Boolean(form.closest("#composer"));
    const isAnswer = /\/meddelande\/\d+\/svara$/.test(address);
    if (!isAnswer && !(isInThread && form.matches("[data-in-thread], form.draft, #send"))) return;
    const data = new FormData(form, pressed);
    // Asked about on a page of its own.
    if (data.get("action") === "discard") return;
    event.preventDefault();
    if (isAnswer) {
      // What the thread shows now has been seen: it is kept up to date while the page is open.
      const shown = [...document.querySelectorAll("[name=seen]")].map((field) => Number(field.value) || 0);
      data.set("seen", String(Math.max(...shown)));
      const written = place().querySelector("form.draft");
      if (written && written.draft) {
        written.draft.settle().then((isSaved) => {
          if (isSaved) load(address, data);
        });
        return;
      }
    }
    load(address, data);
  });
  document.addEventListener("click", (event) => {
    if (!composer()) return;
    const opens = event.target.closest("#composer [data-opens]");
    if (opens && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
      event.preventDefault();
      load(opens.href);
    } else if (event.target.closest("#composer [data-closes]")) close();
    else if (event.target.closest("#composer [data-quotes]")) insertQuote(quoteOf());
    else if (event.target.closest("#composer [data-edits]")) {
      event.preventDefault();
      place().querySelector("#composer-review").replaceChildren();
      const form = place().querySelector("form.draft");
      form.hidden = false;
      form.elements.text.focus();
    } else if (event.target.closest("#composer [data-full-page]")) {
      event.preventDefault();
      const link = event.target.closest("a");
      const form = place().querySelector("form.draft");
      form.draft.settle().then((isSaved) => {
        if (isSaved) location.assign(link.href);
      });
    }
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "r" || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (event.target.closest("input, select, textarea, [contenteditable]")) return;
    try {
      if (localStorage.getItem(OFF)) return;
    } catch {
      // Without storage the keys are on.
    }
    const button = begins() && !begins().hidden && begins().querySelector("button");
    if (!button) return;
    event.preventDefault();
    quoted = quoteOf();
    button.click();
  });
})();
