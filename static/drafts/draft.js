/* A draft saves itself; files are dropped or chosen and sent one by one, with progress. */
(() => {
  "use strict";
  const SAVE_MS = 30000;
  const form = document.getElementById("draft");
  if (!form) return;
  const saved = document.getElementById("saved");
  const version = form.elements.version;
  const input = document.getElementById("files");
  const area = document.getElementById("drop");
  const list = document.getElementById("attachments");
  const progress = document.getElementById("progress");
  const trouble = document.getElementById("files-trouble");
  let timer = null;
  let saving = Promise.resolve();
  let uploading = Promise.resolve();
  let dirty = false;
  let inFlight = 0;
  let isLoggedOut = false;
  let hasFailed = false;

  const address = form.getAttribute("action");
  const post = () => {
    const data = new FormData(form);
    data.delete("files");
    data.delete("recipient");
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
    const token = page.querySelector("#draft [name=csrfmiddlewaretoken]");
    if (!token) return false;
    document.querySelectorAll("[name=csrfmiddlewaretoken]").forEach((one) => {
      one.value = token.value;
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
  const save = () => {
    clearTimeout(timer);
    if (!dirty) return saving;
    dirty = false;
    inFlight += 1;
    saving = saving.then(async () => {
      hasFailed = true;
      try {
        let answer = await post();
        if ((answer.type === "opaqueredirect" || answer.status === 403) && (await refreshTokens()))
          answer = await post();
        if (answer.type === "opaqueredirect" || answer.status === 401 || answer.status === 403) {
          dirty = true;
          tellLoggedOut();
          return;
        }
        isLoggedOut = false;
        hasFailed = !answer.ok && answer.status !== 409;
        if (answer.status === 409) {
          saved.textContent = saved.dataset.conflict;
          return;
        }
        if (!answer.ok) {
          dirty = true;
          saved.textContent = saved.dataset.failed;
          return;
        }
        version.value = (await answer.json()).version;
        saved.textContent =
          saved.dataset.saved + " " + new Date().toLocaleTimeString("sv-SE", { hour: "2-digit", minute: "2-digit" });
      } catch {
        dirty = true;
        saved.textContent = saved.dataset.failed;
      } finally {
        inFlight -= 1;
      }
    });
    return saving;
  };
  form.addEventListener("input", (event) => {
    // The recipient is chosen when the form is sent: moving among the hits by keys chooses nothing yet.
    if (event.target.type === "file" || event.target.name === "q" || event.target.name === "recipient") return;
    dirty = true;
    // What was saved is not what stands there now; a word of trouble stays.
    if (saved.textContent.startsWith(saved.dataset.saved)) saved.textContent = saved.dataset.unsaved;
    clearTimeout(timer);
    timer = setTimeout(save, 1500);
  });
  // Somebody may have typed before this script was there.
  const isTyped = (one) => ["text", "textarea"].includes(one.type) && one.name && one.value !== one.defaultValue;
  if ([...form.elements].some(isTyped)) {
    dirty = true;
    timer = setTimeout(save, 1500);
  }
  // Hits that come late take nobody's choice away, if it is among them.
  let chosen = null;
  document.body.addEventListener("htmx:beforeSwap", (event) => {
    if (event.detail.target.id === "hits") chosen = event.detail.target.querySelector("input:checked");
  });
  document.body.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target.id !== "hits" || !chosen) return;
    const again = [...event.detail.target.querySelectorAll("input")].find((one) => one.value === chosen.value);
    if (again) again.checked = true;
  });
  // What is on its way is waited for. A save changes the version that this form carries: else the page would
  // take its own save for somebody else's change. A file would be left behind; one that did not come through
  // keeps the form here, so that it is seen.
  // A form that is sent without a login would lose its text: what is not saved is saved first, or stays here.
  form.addEventListener("submit", (event) => {
    clearTimeout(timer);
    if (!dirty && inFlight === 0) return;
    event.preventDefault();
    const pressed = event.submitter;
    Promise.all([save(), uploading]).then(() => {
      if (hasFailed) {
        saved.scrollIntoView({ block: "center" });
        return;
      }
      dirty = false;
      if (!trouble.textContent) form.requestSubmit(pressed);
    });
  });
  addEventListener("visibilitychange", () => {
    if (document.visibilityState === "hidden" || isLoggedOut) save();
  });
  // The other tab has logged in: here it goes on.
  addEventListener("focus", () => {
    if (isLoggedOut) save();
  });
  document.body.addEventListener("login-ended", (event) => {
    if (dirty || inFlight) {
      event.preventDefault();
      save();
    }
  });

  const suffixes = input.accept.split(",");
  const room = Number(input.dataset.room);

  const send = (file) =>
    new Promise((resolve) => {
      const suffix = file.name.slice(file.name.lastIndexOf(".")).toLowerCase();
      if (!suffixes.includes(suffix)) {
        resolve(file.name + ": " + input.dataset.type);
        return;
      }
      if (file.size > room) {
        resolve(file.name + ": " + input.dataset.size);
        return;
      }
      if (file.size === 0) {
        resolve(file.name + ": " + input.dataset.empty);
        return;
      }
      const data = new FormData();
      data.append("files", file);
      const request = new XMLHttpRequest();
      request.open("POST", input.dataset.url);
      request.setRequestHeader("X-CSRFToken", form.elements.csrfmiddlewaretoken.value);
      const label = document.createElement("p");
      label.textContent = file.name;
      const bar = document.createElement("progress");
      bar.max = 1;
      bar.value = 0;
      bar.setAttribute("aria-label", file.name);
      progress.append(label, bar);
      request.upload.addEventListener("progress", (event) => {
        if (event.lengthComputable) bar.value = event.loaded / event.total;
      });
      request.addEventListener("loadend", () => {
        label.remove();
        bar.remove();
        if (request.status === 200) {
          list.innerHTML = request.responseText;
          resolve("");
          return;
        }
        resolve(request.status === 422 ? request.responseText : file.name + ": " + input.dataset.failed);
      });
      request.send(data);
    });
  const sendAll = (files) => {
    inFlight += 1;
    uploading = uploading.then(async () => {
      trouble.textContent = "";
      const problems = [];
      for (const file of files) {
        const problem = await send(file);
        if (problem) problems.push(problem);
      }
      trouble.textContent = problems.join(" ");
      inFlight -= 1;
    });
  };
  input.addEventListener("change", () => {
    const files = [...input.files];
    input.value = "";
    sendAll(files);
  });
  ["dragenter", "dragover"].forEach((name) =>
    area.addEventListener(name, (event) => {
      event.preventDefault();
      area.classList.add("is-over");
    }),
  );
  ["dragleave", "drop"].forEach((name) => area.addEventListener(name, () => area.classList.remove("is-over")));
  area.addEventListener("drop", (event) => {
    event.preventDefault();
    sendAll([...event.dataTransfer.files]);
  });
})();
