/* A draft saves itself; files are dropped or chosen and sent one by one, with progress. */
(() => {
  "use strict";
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

  const save = () => {
    clearTimeout(timer);
    if (!dirty) return saving;
    dirty = false;
    inFlight += 1;
    saving = saving.then(async () => {
      const data = new FormData(form);
      data.delete("files");
      data.delete("recipient");
      data.set("action", "autosave");
      try {
        const answer = await fetch(form.getAttribute("action"), { method: "POST", body: data, credentials: "same-origin", redirect: "manual" });
        if (answer.status === 409) { saved.textContent = saved.dataset.conflict; return; }
        if (!answer.ok) { dirty = true; saved.textContent = saved.dataset.failed; return; }
        version.value = (await answer.json()).version;
        saved.textContent = saved.dataset.saved + " " + new Date().toLocaleTimeString("sv-SE", { hour: "2-digit", minute: "2-digit" });
      } catch { dirty = true; saved.textContent = saved.dataset.failed; } finally { inFlight -= 1; }
    });
    return saving;
  };
  form.addEventListener("input", (event) => {
    // The recipient is chosen when the form is sent: moving among the hits by keys chooses nothing yet.
    if (event.target.type === "file" || event.target.name === "q" || event.target.name === "recipient") return;
    dirty = true;
    clearTimeout(timer);
    timer = setTimeout(save, 1500);
  });
  // What is on its way is waited for. A save changes the version that this form carries: else the page would
  // take its own save for somebody else's change. A file would be left behind; one that did not come through
  // keeps the form here, so that it is seen.
  form.addEventListener("submit", (event) => {
    clearTimeout(timer);
    dirty = false;
    if (inFlight === 0) return;
    event.preventDefault();
    const pressed = event.submitter;
    Promise.all([saving, uploading]).then(() => { if (!trouble.textContent) form.requestSubmit(pressed); });
  });
  addEventListener("visibilitychange", () => { if (document.visibilityState === "hidden") save(); });

  const suffixes = input.accept.split(",");
  const room = Number(input.dataset.room);

  const send = (file) => new Promise((resolve) => {
    const suffix = file.name.slice(file.name.lastIndexOf(".")).toLowerCase();
    if (!suffixes.includes(suffix)) { resolve(file.name + ": " + input.dataset.type); return; }
    if (file.size > room) { resolve(file.name + ": " + input.dataset.size); return; }
    if (file.size === 0) { resolve(file.name + ": " + input.dataset.empty); return; }
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
    request.upload.addEventListener("progress", (event) => { if (event.lengthComputable) bar.value = event.loaded / event.total; });
    request.addEventListener("loadend", () => {
      label.remove();
      bar.remove();
      if (request.status === 200) { list.innerHTML = request.responseText; resolve(""); return; }
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
  input.addEventListener("change", () => { const files = [...input.files]; input.value = ""; sendAll(files); });
  ["dragenter", "dragover"].forEach((name) => area.addEventListener(name, (event) => { event.preventDefault(); area.classList.add("is-over"); }));
  ["dragleave", "drop"].forEach((name) => area.addEventListener(name, () => area.classList.remove("is-over")));
  area.addEventListener("drop", (event) => { event.preventDefault(); sendAll([...event.dataTransfer.files]); });
})();
