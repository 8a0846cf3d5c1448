/* Files are chosen, or dropped anywhere on the page, and sent one by one with progress. */
(() => {
  "use strict";
  const started = new WeakSet();
  let current = null;

  const start = (form) => {
    const input = form && form.querySelector("#files");
    if (!input || started.has(form)) return;
    started.add(form);
    const area = form.querySelector("#drop");
    const list = form.querySelector("#attachments");
    const progress = form.querySelector("#progress");
    const trouble = form.querySelector("#files-trouble");
    const suffixes = input.accept.split(",");
    const room = Number(input.dataset.room);
    form.uploads = Promise.resolve();

    const refused = (file) => {
      const suffix = file.name.slice(file.name.lastIndexOf(".")).toLowerCase();
      if (!suffixes.includes(suffix)) return input.dataset.type;
      if (file.size > room) return input.dataset.size;
      return file.size === 0 ? input.dataset.empty : "";
    };
    const send = (file) =>
      new Promise((resolve) => {
        const reason = refused(file);
        if (reason) {
          resolve(`${file.name}: ${reason}`);
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
          const isTold = request.status === 422 || request.status === 429;
          resolve(isTold ? request.responseText : `${file.name}: ${input.dataset.failed}`);
        });
        request.send(data);
      });
    const sendAll = (files) => {
      form.isUploading = true;
      form.uploads = form.uploads.then(async () => {
        trouble.textContent = "";
        const problems = [];
        for (const file of files) {
          const problem = await send(file);
          if (problem) problems.push(problem);
        }
        trouble.textContent = problems.join(" ");
        form.isUploading = false;
      });
    };
    input.addEventListener("change", () => {
      const files = [...input.files];
      input.value = "";
      sendAll(files);
    });
    current = { form, area, sendAll };
  };
  start(document.getElementById("draft"));
  document.addEventListener("draft-shown", (event) => start(event.detail));

  // A file that is dropped beside the box would be opened by the browser in place of the page, and the text lost.
  const here = () => (current && document.contains(current.form) ? current : null);
  const hasFiles = (event) => event.dataTransfer && [...event.dataTransfer.types].includes("Files");
  ["dragenter", "dragover"].forEach((name) =>
    document.addEventListener(name, (event) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      // Where nothing takes files, a note that is being written is not lost either.
      if (here()) here().area.classList.add("is-over");
      else event.dataTransfer.dropEffect = "none";
    }),
  );
  document.addEventListener("dragleave", (event) => {
    if (here() && !event.relatedTarget) here().area.classList.remove("is-over");
  });
  document.addEventListener("drop", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    if (!here()) return;
    const { area, sendAll } = here();
    area.classList.remove("is-over");
    const details = area.closest("details");
    if (details) details.open = true;
    sendAll([...event.dataTransfer.files]);
    area.scrollIntoView({ block: "nearest" });
  });
})();
