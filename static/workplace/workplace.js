/* The workplace: conversations open beside their list, by click, Enter or a rest of 600 ms on a row. Back, keys,
   several chosen rows, and what has been seen. Without this script every link and button leads to a page. */
(() => {
  "use strict";
  const REST_MS = 600;
  const wide = matchMedia("(min-width: 60rem)");
  const reading = document.getElementById("reading");
  if (!reading) return;
  const rowLinks = () => [...document.querySelectorAll(".conversations .subject a")];
  const shown = () => reading.querySelector("[data-conversation]");
  const openKey = () => shown()?.dataset.conversation || "";
  const rowOf = (key) => document.getElementById(`row-${key}`);
  const isShown = (element) => Boolean(element) && element.checkVisibility();
  let focusBefore = null;
  let isAction = false;

  // --- The list ------------------------------------------------------------------------------------------------
  const markOpen = () => {
    const key = openKey();
    for (const link of rowLinks()) {
      const row = link.closest("li");
      const isOpen = row.id === `row-${key}`;
      row.classList.toggle("is-open", isOpen);
      if (isOpen) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
  };
  const fetchList = () => {
    const list = document.getElementById("list");
    const source = document.querySelector(".list-pane > [hx-target='#list']");
    if (!list || !source) return;
    list.dataset.now = "1";
    window.htmx.ajax("GET", source.getAttribute("hx-get"), {
      target: "#list",
      swap: "outerHTML",
      headers: { "X-Background": "1" },
    });
  };
  document.addEventListener("sdk-fetch-list", fetchList);
  document.addEventListener("sdk-updated", () => {
    markOpen();
    countChosen();
    watchSeen();
  });

  // --- Opening -------------------------------------------------------------------------------------------------
  // With Ctrl, Shift or Cmd a link does what links do.
  document.addEventListener(
    "click",
    (event) => {
      const link = event.target.closest("a[hx-get]");
      if (link && (event.ctrlKey || event.metaKey || event.shiftKey)) event.stopImmediatePropagation();
    },
    true,
  );
  document.body.addEventListener("htmx:beforeRequest", (event) => {
    const { elt, target, requestConfig } = event.detail;
    if (target !== reading) return;
    // One pane has no room for two.
    if (!wide.matches && requestConfig.verb === "get" && elt.matches("a")) {
      event.preventDefault();
      location.assign(elt.href);
      return;
    }
    isAction = requestConfig.verb !== "get";
    const active = document.activeElement;
    focusBefore = reading.contains(active) ? { id: active.id, key: active.dataset.key, of: openKey() } : null;
  });
  document.body.addEventListener("htmx:configRequest", (event) => {
    if (event.detail.target?.id === "list") event.detail.headers["X-Open"] = openKey();
  });
  document.body.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target !== reading) return;
    const conversation = shown();
    const url = event.detail.xhr.responseURL;
    if (isAction && url && url !== location.href) history.pushState({ htmx: true }, "", url);
    document.body.classList.toggle("shows-reading", Boolean(conversation));
    document.body.classList.toggle("shows-list", !conversation);
    if (conversation) document.title = `${conversation.dataset.title} – sdkportal`;
    window.liveEvents?.show(conversation ? `conversation=${openKey()}` : "");
    const row = rowOf(openKey());
    if (focusBefore) {
      const same = focusBefore.of === openKey();
      const again =
        same &&
        ((focusBefore.id && document.getElementById(focusBefore.id)) ||
          (focusBefore.key && reading.querySelector(`[data-key="${focusBefore.key}"]`)));
      (again || reading.querySelector("h1") || reading).focus({ preventScroll: true });
    } else if (row && document.activeElement?.closest(".conversations")) {
      row.querySelector("a").focus({ preventScroll: true });
    }
    markOpen();
    row?.scrollIntoView({ block: "nearest" });
    toFirstUnread();
    watchSeen();
    if (isAction) fetchList();
    isAction = false;
  });
  // Back and forward show what was open; the list stays where it is.
  addEventListener(
    "popstate",
    (event) => {
      event.stopImmediatePropagation();
      const isConversation = location.pathname.startsWith("/konversation/");
      const source = document.querySelector(".list-pane > [hx-target='#list']");
      const list = source ? new URL(source.getAttribute("hx-get"), location.href).href : "";
      if (!isConversation && location.href !== list) {
        location.reload();
        return;
      }
      isAction = false;
      window.htmx.ajax("GET", location.pathname + location.search, { target: "#reading", swap: "innerHTML" });
    },
    true,
  );

  // --- Seen ----------------------------------------------------------------------------------------------------
  let observer = null;
  // The newest message and the newest note of a conversation, each once it has been in view.
  let inView = { of: "", message: "", note: "" };
  const told = new Set();
  const tell = () => {
    const conversation = shown();
    if (!conversation || document.visibilityState !== "visible" || !document.hasFocus()) return;
    const { of, message, note } = inView;
    const mark = `${of}/${message}/${note}`;
    if (of !== conversation.dataset.conversation || !(message || note) || told.has(mark)) return;
    told.add(mark);
    const headers = { "X-CSRFToken": JSON.parse(document.body.getAttribute("hx-headers"))["X-CSRFToken"] };
    const body = new URLSearchParams({ message, note });
    fetch(conversation.dataset.seen, { method: "POST", headers, body }).then(fetchList);
  };
  const watchSeen = () => {
    const conversation = shown();
    observer?.disconnect();
    inView = { of: "", message: "", note: "" };
    if (!conversation) return;
    const { conversation: of, newest, note } = conversation.dataset;
    const message = document.getElementById(`message-${newest}`);
    const watched = new Map([
      [message?.querySelector(".text, summary") || message, { message: newest }],
      [document.getElementById(`anteckning-${note}`), { note }],
    ]);
    watched.delete(null);
    observer = new IntersectionObserver((entries) => {
      for (const entry of entries) if (entry.isIntersecting) inView = { ...inView, of, ...watched.get(entry.target) };
      tell();
    });
    for (const element of watched.keys()) observer.observe(element);
  };
  addEventListener("focus", tell);
  document.addEventListener("visibilitychange", tell);
  const toFirstUnread = () => {
    reading.scrollTop = 0;
    const key = shown()?.dataset.firstUnread;
    const first = key && document.getElementById(`message-${key}`);
    if (first && !location.hash && first.previousElementSibling && wide.matches)
      first.scrollIntoView({ block: "start" });
  };

  // --- Several rows --------------------------------------------------------------------------------------------
  const boxes = () => [...document.querySelectorAll(".conversations input[name=chosen]")];
  let last = null;
  const countChosen = () => {
    const bar = document.querySelector(".quick-actions");
    const all = document.getElementById("choose-all");
    if (!bar || !all) return;
    const chosen = boxes().filter((box) => box.checked).length;
    bar.hidden = chosen === 0;
    const count = bar.querySelector(".chosen-count");
    count.textContent = `${chosen} ${chosen === 1 ? count.dataset.one : count.dataset.more}`;
    all.checked = chosen > 0 && chosen === boxes().length;
    all.indeterminate = chosen > 0 && !all.checked;
  };
  document.addEventListener("click", (event) => {
    const box = event.target;
    if (box.matches?.("#choose-all")) {
      for (const one of boxes()) one.checked = box.checked;
      countChosen();
    } else if (box.matches?.("input[name=chosen]")) {
      const all = boxes();
      if (event.shiftKey && last && all.includes(last)) {
        const [from, to] = [all.indexOf(last), all.indexOf(box)].sort((one, other) => one - other);
        for (const one of all.slice(from, to + 1)) one.checked = box.checked;
      }
      last = box;
      countChosen();
    } else {
      for (const open of document.querySelectorAll("details.drop-down[open]"))
        if (!open.contains(box)) open.open = false;
    }
    const pressed = box.closest?.("[data-press]");
    if (pressed) {
      const button = document.querySelector(pressed.dataset.press);
      if (button) {
        event.preventDefault();
        button.click();
      }
    }
  });

  // --- Keys ----------------------------------------------------------------------------------------------------
  let rest = null;
  const move = (step) => {
    const links = rowLinks();
    if (!links.length || !isShown(links[0])) return false;
    const focused = links.indexOf(document.activeElement);
    const open = links.findIndex((link) => link.closest("li").id === `row-${openKey()}`);
    const from = focused >= 0 ? focused : open;
    const next = links[from < 0 ? 0 : from + step];
    if (!next) return false;
    next.focus();
    next.closest("li").scrollIntoView({ block: "nearest" });
    clearTimeout(rest);
    if (wide.matches && next.hasAttribute("hx-get"))
      rest = setTimeout(() => {
        if (document.activeElement === next && next.closest("li").id !== `row-${openKey()}`) next.click();
      }, REST_MS);
    return true;
  };
  document.addEventListener("sdk-key", (event) => {
    const key = event.detail;
    if (key === "j" || key === "k") {
      if (move(key === "j" ? 1 : -1)) event.preventDefault();
    } else if (key === "u" && wide.matches) {
      const row = rowOf(openKey())?.querySelector("a") || rowLinks()[0];
      row?.focus();
      event.preventDefault();
    } else if (key === "x") {
      const box = (document.activeElement?.closest(".conversations li") || rowOf(openKey()))?.querySelector("input");
      box?.click();
      event.preventDefault();
    } else if (key === "e" || key === "t") {
      const many = document.querySelector(`.quick-actions:not([hidden]) [data-many="${key}"]`);
      if (many) {
        many.click();
        event.preventDefault();
      }
    }
  });

  // --- Choices and printing ------------------------------------------------------------------------------------
  const compact = document.getElementById("compact");
  if (compact) {
    compact.checked = document.documentElement.classList.contains("is-compact");
    compact.addEventListener("change", () => {
      document.documentElement.classList.toggle("is-compact", compact.checked);
      try {
        if (compact.checked) localStorage.setItem("sdk-compact", "1");
        else localStorage.removeItem("sdk-compact");
      } catch {
        // A browser that keeps nothing has the choice for this page.
      }
    });
  }
  addEventListener("beforeprint", () => {
    for (const message of reading.querySelectorAll("details.fold")) message.open = true;
  });
  toFirstUnread();
  watchSeen();
  countChosen();
})();
