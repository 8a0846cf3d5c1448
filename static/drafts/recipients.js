/* Recipients: a combobox over the address book, as ARIA's authoring practices have it, and a chip for each.
   Enter chooses, Escape closes, Backspace in the empty field removes the last. */
(() => {
  "use strict";
  const form = document.getElementById("draft");
  const area = document.getElementById("recipients");
  if (!form || !area) return;
  const DELAY_MS = 150;

  const post = async (action, more) => {
    if (!(await form.draft.settle())) return;
    await form.draft.after(() => change(action, more));
    // Somebody who has gone on to another field meanwhile stays there.
    const { activeElement } = document;
    const input = area.querySelector("[data-combobox]");
    if (input && (activeElement === document.body || area.contains(activeElement))) input.focus();
  };
  const change = async (action, more) => {
    const data = new FormData(form);
    ["files", "recipient", "q"].forEach((name) => data.delete(name));
    data.set("action", action);
    if (more) data.set("recipient", more);
    const answer = await fetch(form.getAttribute("action"), {
      method: "POST",
      body: data,
      credentials: "same-origin",
      headers: { "HX-Request": "true" },
    });
    if (!answer.ok || answer.redirected) {
      // What is wrong is told by the whole page.
      location.assign(form.getAttribute("action"));
      return;
    }
    area.innerHTML = await answer.text();
    form.elements.version.value = area.querySelector("[data-version]").dataset.version;
    const details = area.querySelector("[data-more]");
    if (details) details.open = true;
    start();
  };

  const start = () => {
    const input = area.querySelector("[data-combobox]");
    if (!input) return;
    const fallback = area.querySelector("#hits");
    area.querySelectorAll("[data-without-script]").forEach((one) => {
      one.hidden = true;
    });
    const list = document.createElement("ul");
    list.id = "recipient-options";
    list.className = "options";
    list.setAttribute("role", "listbox");
    list.setAttribute("aria-label", input.dataset.choose);
    list.hidden = true;
    const count = document.createElement("span");
    count.className = "hidden-visually";
    count.setAttribute("role", "status");
    input.after(list);
    input.closest(".row").after(count);
    input.type = "text";
    input.setAttribute("role", "combobox");
    input.setAttribute("aria-autocomplete", "list");
    input.setAttribute("aria-expanded", "false");
    input.setAttribute("aria-controls", list.id);
    let active = -1;
    let timer = null;
    let asked = 0;

    const options = () => [...list.children].filter((one) => one.dataset.key);
    const close = () => {
      list.hidden = true;
      active = -1;
      input.setAttribute("aria-expanded", "false");
      input.removeAttribute("aria-activedescendant");
    };
    const point = (index) => {
      const all = options();
      if (!all.length) return;
      active = (index + all.length) % all.length;
      all.forEach((one, number) => one.setAttribute("aria-selected", String(number === active)));
      input.setAttribute("aria-activedescendant", all[active].id);
      all[active].scrollIntoView({ block: "nearest" });
    };
    // The same hits that a page without scripts shows, as options.
    const show = (source, isAsked) => {
      // Who is a recipient already is not offered again.
      const chosen = new Set(input.dataset.chosen.split(" "));
      const choices = [...source.querySelectorAll(".hit-choice")].filter(
        (choice) => !chosen.has(choice.querySelector("input").value),
      );
      list.replaceChildren(
        ...choices.map((choice, number) => {
          const option = document.createElement("li");
          option.id = `recipient-option-${number}`;
          option.dataset.key = choice.querySelector("input").value;
          option.setAttribute("role", "option");
          option.setAttribute("aria-selected", "false");
          option.append(...choice.querySelector("span").cloneNode(true).childNodes);
          return option;
        }),
      );
      if (!choices.length && isAsked) {
        const none = document.createElement("li");
        none.className = "none";
        none.setAttribute("role", "option");
        none.setAttribute("aria-disabled", "true");
        none.textContent = input.dataset.none;
        list.append(none);
      }
      list.hidden = !list.children.length;
      input.setAttribute("aria-expanded", String(!list.hidden));
      active = -1;
      input.removeAttribute("aria-activedescendant");
      if (isAsked) {
        count.textContent = choices.length
          ? input.dataset.count.replace("#", String(choices.length))
          : input.dataset.none;
        point(0);
      }
    };
    const search = async () => {
      const question = input.value.trim();
      asked += 1;
      const mine = asked;
      if (question.length < 2) {
        close();
        return;
      }
      const answer = await fetch(`${input.dataset.combobox}?valj=1&q=${encodeURIComponent(question)}`, {
        credentials: "same-origin",
        headers: { "HX-Request": "true" },
      }).catch(() => null);
      // Hits that come late answer an older question.
      if (!answer || !answer.ok || mine !== asked) return;
      const holder = document.createElement("div");
      holder.innerHTML = await answer.text();
      if (mine === asked) show(holder, true);
    };
    const choose = (option) => {
      close();
      input.value = "";
      asked += 1;
      post("add", option.dataset.key);
    };

    input.addEventListener("input", () => {
      clearTimeout(timer);
      timer = setTimeout(search, DELAY_MS);
    });
    input.addEventListener("focus", () => {
      if (!input.value && fallback && list.hidden) show(fallback, false);
    });
    input.addEventListener("blur", close);
    input.addEventListener("keydown", (event) => {
      if (event.isComposing || event.ctrlKey || event.metaKey) return;
      const all = options();
      if (event.key === "ArrowDown" || event.key === "ArrowUp") {
        event.preventDefault();
        if (list.hidden && input.value) search();
        else point(event.key === "ArrowDown" ? active + 1 : active < 0 ? -1 : active - 1);
      } else if (event.key === "Enter") {
        // Never the form's first button: what is searched for stays.
        event.preventDefault();
        event.stopPropagation();
        if (!list.hidden && active >= 0) choose(all[active]);
        else if (input.value) search();
      } else if (event.key === "Escape") {
        if (!list.hidden) event.preventDefault();
        if (list.hidden) input.value = "";
        close();
      } else if (event.key === "Backspace" && !input.value) {
        const chips = area.querySelectorAll(".chip-remove");
        if (chips.length) {
          event.preventDefault();
          post(chips[chips.length - 1].value);
        }
      }
    });
    list.addEventListener("mousedown", (event) => event.preventDefault());
    list.addEventListener("click", (event) => {
      const option = event.target.closest("[data-key]");
      if (option) choose(option);
    });
  };
  area.addEventListener("click", (event) => {
    const remove = event.target.closest(".chip-remove");
    if (!remove) return;
    event.preventDefault();
    post(remove.value);
  });
  start();
})();
