/* Names after an @ in an internal note are completed from the members that the form lists: a list box beneath the
   field, as ARIA's authoring practices have it. Arrows point, Enter or Tab chooses, Escape closes. */
(() => {
  "use strict";
  // As `notes.named_in`: an @ that ends no word and no address begins a name.
  const NAMED = /(?<![\p{L}\p{N}_@.])@([\p{L}\p{N}_][\p{L}\p{N}_' -]{0,60}|)$/u;
  const ID = "mention-options";
  const isField = (element) => Boolean(element?.matches?.("textarea[data-mentions]"));
  const namesFor = (field) =>
    [...field.form.querySelectorAll("input[name=mentioned]")].map((box) => box.closest("label").textContent.trim());
  const listOf = (field) => field.parentElement.querySelector(`#${ID}`);
  const options = (list) => [...list.children];
  const activeIn = (list) => options(list).findIndex((option) => option.getAttribute("aria-selected") === "true");

  const listFor = (field) => {
    const known = listOf(field);
    if (known) return known;
    const list = document.createElement("ul");
    list.id = ID;
    list.className = "mention-options";
    list.setAttribute("role", "listbox");
    list.setAttribute("aria-label", field.dataset.mentions);
    list.hidden = true;
    const count = document.createElement("span");
    count.className = "hidden-visually";
    count.setAttribute("role", "status");
    // The field keeps focus.
    list.addEventListener("mousedown", (event) => event.preventDefault());
    list.addEventListener("click", (event) => {
      const option = event.target.closest("[role=option]");
      if (option) choose(field, option);
    });
    field.after(list, count);
    return list;
  };
  const close = (field) => {
    const list = listOf(field);
    // A live update may have taken the list away, and left the field that somebody writes in.
    field.removeAttribute("aria-activedescendant");
    field.removeAttribute("aria-controls");
    if (!list || list.hidden) return false;
    list.hidden = true;
    list.nextElementSibling.textContent = "";
    return true;
  };
  const point = (field, list, index) => {
    const all = options(list);
    const active = (index + all.length) % all.length;
    all.forEach((option, number) => option.setAttribute("aria-selected", String(number === active)));
    field.setAttribute("aria-activedescendant", all[active].id);
    all[active].scrollIntoView({ block: "nearest" });
  };
  const begun = (field) => {
    if (field.selectionStart !== field.selectionEnd) return null;
    return NAMED.exec(field.value.slice(0, field.selectionStart));
  };
  const choose = (field, option) => {
    const match = begun(field);
    close(field);
    if (!match) return;
    field.setRangeText(`@${option.textContent} `, match.index, field.selectionStart, "end");
    field.dispatchEvent(new Event("input", { bubbles: true }));
    field.focus();
  };
  const suggest = (field) => {
    const match = begun(field);
    if (!match) {
      close(field);
      return;
    }
    const typed = match[1].toLocaleLowerCase();
    const fitting = namesFor(field).filter((name) => {
      const whole = name.toLocaleLowerCase();
      if (whole === typed) return false;
      return whole.startsWith(typed) || (typed && whole.split(/\s+/).some((word) => word.startsWith(typed)));
    });
    if (!fitting.length) {
      close(field);
      return;
    }
    const list = listFor(field);
    list.replaceChildren(
      ...fitting.map((name, number) => {
        const option = document.createElement("li");
        option.id = `mention-option-${number}`;
        option.setAttribute("role", "option");
        option.textContent = name;
        return option;
      }),
    );
    list.hidden = false;
    field.setAttribute("aria-controls", ID);
    list.nextElementSibling.textContent = field.dataset.mentionsCount.replace("#", String(fitting.length));
    point(field, list, 0);
  };

  document.addEventListener("input", (event) => {
    if (isField(event.target)) suggest(event.target);
  });
  document.addEventListener("focusout", (event) => {
    if (isField(event.target)) close(event.target);
  });
  // Before the keys of the page, which Escape closes the form by.
  document.addEventListener(
    "keydown",
    (event) => {
      const field = event.target;
      if (!isField(field) || event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
      const list = listOf(field);
      if (!list || list.hidden) return;
      const active = activeIn(list);
      if (event.key === "ArrowDown") point(field, list, active + 1);
      else if (event.key === "ArrowUp") point(field, list, active - 1);
      else if (event.key === "Enter" || (event.key === "Tab" && !event.shiftKey)) choose(field, options(list)[active]);
      else if (event.key === "Escape") close(field);
      else return;
      event.preventDefault();
      event.stopPropagation();
    },
    true,
  );
})();
