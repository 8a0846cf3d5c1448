/* The text's toolbar, shortcuts, lists that go on by themselves, tabs, and pasting from other programs: exactly
   what B1.3.3 4.3.3.2 lists. Every change is one step of the browser's own undo. */
(() => {
  "use strict";
  const started = new WeakSet();
  const ITEM = /^(\s*)(\*|\d+\.)(\s+)(.*)$/;

  // Replaces a range as if it were typed.
  const type = (area, start, end, text) => {
    area.focus();
    area.setSelectionRange(start, end);
    if (!document.execCommand(text ? "insertText" : "delete", false, text)) {
      area.setRangeText(text, start, end, "end");
      area.dispatchEvent(new Event("input", { bubbles: true }));
    }
  };
  const surround = (area, marks) => {
    const { selectionStart: start, selectionEnd: end, value } = area;
    const chosen = value.slice(start, end);
    const before = value.slice(start - marks.length, start);
    const after = value.slice(end, end + marks.length);
    const isLonger = value[start - marks.length - 1] === "*" && marks === "*";
    if (before === marks && after === marks && !isLonger) {
      type(area, start - marks.length, end + marks.length, chosen);
      area.setSelectionRange(start - marks.length, end - marks.length);
      return;
    }
    // White space at the ends stays outside, or nothing would be bold; each line has marks of its own.
    const lines = chosen
      .split("\n")
      .map((line) =>
        line.replace(/^(\s*)(.*?)(\s*)$/, (_all, left, middle, right) =>
          middle ? `${left}${marks}${middle}${marks}${right}` : line,
        ),
      );
    const text = chosen.trim() ? lines.join("\n") : `${marks}${chosen}${marks}`;
    type(area, start, end, text);
    if (chosen.trim() && lines.length === 1) {
      const left = start + chosen.length - chosen.trimStart().length + marks.length;
      area.setSelectionRange(left, left + chosen.trim().length);
    } else if (!chosen.trim()) area.setSelectionRange(start + marks.length, start + marks.length);
  };
  const eachLine = (area, change) => {
    const { value } = area;
    const start = value.lastIndexOf("\n", area.selectionStart - 1) + 1;
    const found = value.indexOf("\n", area.selectionEnd);
    const end = found < 0 ? value.length : found;
    const lines = value.slice(start, end).split("\n");
    const text = change(lines).join("\n");
    type(area, start, end, text);
    if (lines.length > 1) area.setSelectionRange(start, start + text.length);
  };
  const bare = (line) => line.replace(/^\s*(?:\*|\d+\.|#{1,6})\s+/, "");
  const FORMATS = {
    bold: (area) => surround(area, "**"),
    italic: (area) => surround(area, "*"),
    heading: (area) =>
      eachLine(area, (lines) => {
        const isOn = lines.every((line) => /^#{1,6}\s/.test(line));
        return lines.map((line) => (isOn ? bare(line) : `# ${bare(line)}`));
      }),
    bullets: (area) =>
      eachLine(area, (lines) => {
        const isOn = lines.every((line) => /^\s*\*\s/.test(line));
        return lines.map((line) => (isOn ? bare(line) : `* ${bare(line)}`));
      }),
    numbers: (area) =>
      eachLine(area, (lines) => {
        const isOn = lines.every((line) => /^\s*\d+\.\s/.test(line));
        return lines.map((line, index) => (isOn ? bare(line) : `${index + 1}. ${bare(line)}`));
      }),
  };
  // Enter goes on with the list; in an item without words it ends it.
  const goOn = (area) => {
    const { selectionStart: at, selectionEnd: end, value } = area;
    if (at !== end) return false;
    const start = value.lastIndexOf("\n", at - 1) + 1;
    const item = ITEM.exec(value.slice(start, at));
    if (!item) return false;
    if (!item[4].trim()) {
      type(area, start, at, "");
      return true;
    }
    const sign = item[2] === "*" ? "*" : `${parseInt(item[2], 10) + 1}.`;
    type(area, at, at, `\n${item[1]}${sign}${item[3]}`);
    return true;
  };

  // From Word and the like: what has a meaning in a message, as Markdown.
  const inline = (node) => {
    if (node.nodeType === Node.TEXT_NODE) return node.textContent.replace(/\s+/g, " ");
    if (node.nodeType !== Node.ELEMENT_NODE || node.matches("style, script, head, title, meta")) return "";
    if (node.matches("br")) return "\n";
    const text = [...node.childNodes].map(inline).join("");
    const isBold = node.matches("b, strong") || /^(?:bold|[6-9]00)$/.test(node.style.fontWeight);
    const isItalic = node.matches("i, em") || node.style.fontStyle === "italic";
    // Google Docs wraps everything in a <b> of normal weight.
    const marks = `${isBold && node.style.fontWeight !== "normal" ? "**" : ""}${isItalic ? "*" : ""}`;
    if (!marks || !text.trim() || text.includes("\n") || text.includes("*")) return text;
    return text.replace(/^(\s*)(.*?)(\s*)$/, `$1${marks}$2${marks}$3`);
  };
  const BLOCKS = "p, div, li, ul, ol, h1, h2, h3, h4, h5, h6, table, tr, blockquote, section, article, body";
  const blocks = (node, out) => {
    let line = "";
    const flush = () => {
      if (line.trim()) out.push({ text: line.trim(), isItem: false });
      line = "";
    };
    for (const child of node.childNodes) {
      if (child.nodeType !== Node.ELEMENT_NODE || (!child.matches(BLOCKS) && !child.querySelector(BLOCKS))) {
        line += inline(child);
        continue;
      }
      flush();
      const level = /^H([1-6])$/.exec(child.tagName);
      if (level) out.push({ text: `${"#".repeat(Number(level[1]))} ${inline(child).trim()}`, isItem: false });
      else if (child.matches("li")) {
        const isNumbered = child.parentElement.matches("ol");
        const number = [...child.parentElement.children].indexOf(child) + 1;
        const own = [...child.childNodes].filter((one) => !(one.matches && one.matches("ul, ol")));
        const text = own.map(inline).join("").trim();
        if (text) out.push({ text: `${isNumbered ? `${number}.` : "*"} ${text}`, isItem: true });
        child.querySelectorAll(":scope > ul, :scope > ol").forEach((list) => blocks(list, out));
      } else if (child.matches("tr")) {
        const cells = [...child.children].map((cell) => inline(cell).trim());
        out.push({ text: cells.join("  "), isItem: true });
      } else blocks(child, out);
    }
    flush();
  };
  const markdownOf = (html) => {
    const out = [];
    blocks(new DOMParser().parseFromString(html, "text/html").body, out);
    return out.reduce(
      (text, block, index) =>
        text + (index === 0 ? "" : block.isItem && out[index - 1].isItem ? "\n" : "\n\n") + block.text,
      "",
    );
  };

  const startTabs = (form, area) => {
    const tabs = form.querySelector("[data-tabs]");
    if (!tabs) return;
    tabs.hidden = false;
    const [write, preview] = tabs.querySelectorAll("[role=tab]");
    const panel = form.querySelector("#panel-write");
    const shown = form.querySelector("#preview");
    const choose = async (tab) => {
      const isPreview = tab === preview;
      [write, preview].forEach((one) => {
        one.setAttribute("aria-selected", String(one === tab));
        one.tabIndex = one === tab ? 0 : -1;
      });
      if (isPreview) {
        const data = new FormData();
        data.set("text", area.value);
        data.set("csrfmiddlewaretoken", form.elements.csrfmiddlewaretoken.value);
        try {
          const answer = await fetch(preview.dataset.url, { method: "POST", body: data, redirect: "manual" });
          if (!answer.ok) throw new Error();
          shown.innerHTML = await answer.text();
        } catch {
          shown.textContent = form.querySelector("#files") ? form.querySelector("#files").dataset.failed : "";
        }
      }
      panel.hidden = isPreview;
      shown.hidden = !isPreview;
      if (!isPreview) area.focus();
    };
    [write, preview].forEach((tab) => tab.addEventListener("click", () => choose(tab)));
    tabs.addEventListener("keydown", (event) => {
      if (!["ArrowLeft", "ArrowRight"].includes(event.key)) return;
      event.preventDefault();
      const other = event.target === write ? preview : write;
      other.focus();
    });
  };
  const start = (form) => {
    const area = form && form.querySelector("textarea[name=text]");
    if (!area || started.has(form)) return;
    started.add(form);
    const bar = form.querySelector("[data-formatting]");
    if (bar) {
      bar.hidden = false;
      const buttons = [...bar.querySelectorAll("button")];
      bar.addEventListener("mousedown", (event) => event.preventDefault());
      bar.addEventListener("click", (event) => {
        const button = event.target.closest("[data-format]");
        if (button) FORMATS[button.dataset.format](area);
      });
      bar.addEventListener("keydown", (event) => {
        const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
        if (!step) return;
        event.preventDefault();
        const next = buttons[(buttons.indexOf(document.activeElement) + step + buttons.length) % buttons.length];
        buttons.forEach((button) => {
          button.tabIndex = button === next ? 0 : -1;
        });
        next.focus();
      });
    }
    area.addEventListener("keydown", (event) => {
      if (event.isComposing) return;
      const isCommand = (event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey;
      const format = isCommand && { b: "bold", i: "italic" }[event.key.toLowerCase()];
      if (format) {
        event.preventDefault();
        FORMATS[format](area);
      } else if (event.key === "Enter" && !event.shiftKey && !isCommand && goOn(area)) event.preventDefault();
    });
    area.addEventListener("paste", (event) => {
      const html = event.clipboardData && event.clipboardData.getData("text/html");
      if (!html) return;
      const text = markdownOf(html);
      if (!text) return;
      event.preventDefault();
      type(area, area.selectionStart, area.selectionEnd, text);
    });
    startTabs(form, area);
  };
  start(document.getElementById("draft"));
  document.addEventListener("draft-shown", (event) => start(event.detail));
})();
