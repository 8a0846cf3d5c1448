/* A draft saves itself and tells how it stands: "Sparat" is said only of what stands in the form.
   A form that comes later, in a thread, is told of by the event "draft-shown". */
(() => {
  "use strict";
  const SAVE_MS = 30000;
  const PAUSE_MS = 1500;
  const AGAIN_MS = 15000;
  const started = new WeakSet();

  const start = (form) => {
    if (!form || started.has(form)) return;
    started.add(form);
    const saved = form.querySelector("#saved");
    const version = form.elements.version;
    const address = form.getAttribute("action");
    let timer = null;
    let saving = Promise.resolve();
    let isDirty = false;
    let inFlight = 0;
    let isLoggedOut = false;
    let hasFailed = false;
    // Taken over, sent or removed: what is typed from then on is saved nowhere, and the page says so.
    let stopped = "";

    const isShown = () => document.contains(form);
    const tell = (text) => {
      if (saved.textContent !== text) saved.textContent = text;
    };
    const later = (milliseconds) => {
      clearTimeout(timer);
      timer = setTimeout(save, milliseconds);
    };
    const stop = (text) => {
      stopped = text;
      clearTimeout(timer);
      form.classList.add("is-stopped");
      form.querySelectorAll("[name=action]").forEach((button) => {
        button.disabled = true;
      });
      tell(text);
    };
    const post = () => {
      const data = new FormData(form);
      ["files", "recipient", "q"].forEach((name) => data.delete(name));
      data.set("action", "autosave");
      // One that gets no answer has failed, and says so.
      return fetch(address, {
        method: "POST",
        body: data,
        credentials: "same-origin",
        redirect: "manual",
        signal: AbortSignal.timeout(SAVE_MS),
      });
    };
    // Logging in again, in another tab, gives new tokens: the form takes them from the page as it is now.
    const refreshTokens = async () => {
      const answer = await fetch(address, {
        credentials: "same-origin",
        redirect: "manual",
        headers: { "X-Background": "1" },
      });
      if (!answer.ok) return false;
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const token = page.querySelector("[name=csrfmiddlewaretoken]");
      if (!token) return false;
      document.querySelectorAll("[name=csrfmiddlewaretoken]").forEach((field) => {
        field.value = token.value;
      });
      document.body.setAttribute("hx-headers", JSON.stringify({ "X-CSRFToken": token.value }));
      return true;
    };
    const tellLoggedOut = () => {
      isLoggedOut = true;
      const link = document.createElement("a");
      link.href = saved.dataset.login;
      link.target = "_blank";
      link.rel = "noopener";
      link.textContent = saved.dataset.again;
      saved.replaceChildren(saved.dataset.left + " ", link);
    };
    const fail = () => {
      isDirty = true;
      hasFailed = true;
      tell(saved.dataset.failed);
      later(AGAIN_MS);
    };
    const attempt = async () => {
      if (stopped) {
        hasFailed = true;
        return;
      }
      hasFailed = false;
      try {
        let answer = await post();
        if ((answer.type === "opaqueredirect" || answer.status === 403) && (await refreshTokens()))
          answer = await post();
        if (answer.type === "opaqueredirect" || answer.status === 401 || answer.status === 403) {
          isDirty = true;
          hasFailed = true;
          tellLoggedOut();
          return;
        }
        isLoggedOut = false;
        if (answer.status === 409) {
          // The button that is pressed then shows both texts.
          tell(await answer.text());
          return;
        }
        if (!answer.ok) {
          fail();
          return;
        }
        version.value = (await answer.json()).version;
        const at = new Date().toLocaleTimeString("sv-SE", { hour: "2-digit", minute: "2-digit" });
        // What was typed meanwhile is not saved.
        tell(isDirty ? saved.dataset.unsaved : `${saved.dataset.saved} ${at}`);
      } catch {
        fail();
      }
    };
    const save = () => {
      clearTimeout(timer);
      if (!isShown() || !isDirty || stopped) return saving;
      isDirty = false;
      inFlight += 1;
      saving = saving.then(attempt).finally(() => {
        inFlight -= 1;
      });
      return saving;
    };
    const touch = () => {
      isDirty = true;
      if (stopped) {
        tell(stopped);
        return;
      }
      if (!hasFailed && !isLoggedOut) tell(saved.dataset.unsaved);
      later(PAUSE_MS);
    };
    form.addEventListener("input", (event) => {
      // The recipient is chosen when the form is sent: moving among the hits by keys chooses nothing yet.
      if (event.target.type === "file" || ["q", "recipient"].includes(event.target.name)) return;
      touch();
    });
    // Somebody may have typed before this script was there.
    const isTyped = (field) =>
      ["text", "textarea"].includes(field.type) && field.name && field.value !== field.defaultValue;
    if ([...form.elements].some(isTyped)) touch();

    // What is on its way is waited for. A save changes the version that this form carries: else the page would
    // take its own save for somebody else's change. A file would be left behind; one that did not come through
    // keeps the form here, so that it is seen.
    // A form that is sent without a login would lose its text: what is not saved is saved first, or stays here.
    const settle = async () => {
      await Promise.all([save(), form.uploads || Promise.resolve()]);
      // What was typed while that went on.
      if (isDirty && !hasFailed && !stopped) await save();
      return !hasFailed;
    };
    form.addEventListener("submit", (event) => {
      clearTimeout(timer);
      if (event.defaultPrevented || form.isLeaving) return;
      if (stopped) {
        // The button takes the text along: the browser need not ask whether it may be left.
        form.isLeaving = true;
        return;
      }
      if (!isDirty && inFlight === 0 && !form.isUploading) return;
      event.preventDefault();
      const pressed = event.submitter;
      settle().then((isSaved) => {
        if (!isSaved) {
          saved.scrollIntoView({ block: "center" });
          return;
        }
        const trouble = form.querySelector("#files-trouble");
        if (trouble && trouble.textContent.trim()) return;
        setTimeout(() => {
          form.isLeaving = true;
          form.requestSubmit(pressed);
          form.isLeaving = false;
        }, 0);
      });
    });
    // Enter in a field of one line goes on to the text: it neither saves nor takes away what was searched.
    form.addEventListener("keydown", (event) => {
      const isLine = event.target.matches("input[type=text]");
      if (event.key === "Enter" && isLine && !event.isComposing && !event.ctrlKey) {
        event.preventDefault();
        if (event.target.name === "subject") form.elements.text.focus();
      }
    });
    addEventListener("visibilitychange", () => {
      if (document.visibilityState === "hidden" || isLoggedOut) save();
    });
    // The other tab has logged in: here it goes on.
    addEventListener("focus", () => {
      if (isLoggedOut || hasFailed) save();
    });
    addEventListener("online", save);
    addEventListener("offline", () => {
      if (isDirty && isShown()) tell(saved.dataset.failed);
    });
    addEventListener("beforeunload", (event) => {
      if (isShown() && isDirty && !form.isLeaving && (hasFailed || stopped)) event.preventDefault();
    });
    document.body.addEventListener("login-ended", (event) => {
      if (isShown() && (isDirty || inFlight)) {
        event.preventDefault();
        save();
      }
    });
    document.body.addEventListener("htmx:afterSwap", (event) => {
      const notice = event.detail.target.id === "draft-state" && event.detail.target.querySelector("[data-stopped]");
      if (notice && isShown()) stop(notice.dataset.stopped);
    });
    form.draft = {
      // What changes the draft in another way than saving: nothing is saved until it is done.
      after: (change) => {
        clearTimeout(timer);
        inFlight += 1;
        saving = saving.then(change).finally(() => {
          inFlight -= 1;
          if (isDirty) later(PAUSE_MS);
        });
        return saving;
      },
      settle,
      touch,
      isUntouched: () => !isDirty && inFlight === 0,
    };
  };

  start(document.getElementById("draft"));
  document.addEventListener("draft-shown", (event) => start(event.detail));

  // Ctrl+Enter goes on: from the form to the review, from the review to sending.
  // In the time at which it is to be sent, Enter is the button beside it.
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.repeat) return;
    if (event.target.matches("#later")) {
      event.preventDefault();
      event.target.form.querySelector('[name=action][value="later"]').click();
      return;
    }
    if (!(event.ctrlKey || event.metaKey)) return;
    const sends = document.querySelector("[data-sends]");
    const form = event.target.closest("form.draft");
    const reviews = (form || document).querySelector("[data-reviews]");
    const next = sends && !form ? sends : reviews;
    if (!next || next.disabled) return;
    event.preventDefault();
    next.click();
  });
  // What is restored replaces what is written: that is saved first, so that it can be brought back.
  document.addEventListener("submit", async (event) => {
    const form = document.getElementById("draft");
    if (!form || !form.draft || !event.target.querySelector("[data-restores]") || event.target.isReady) return;
    event.preventDefault();
    if (!(await form.draft.settle())) return;
    event.target.elements.version.value = form.elements.version.value;
    event.target.isReady = true;
    // A form whose submit event is still under way is not submitted again.
    setTimeout(() => event.target.requestSubmit(), 0);
  });
})();
