/* Makes a part of the page like another, in place: what is the same stays the same element, so focus, opened
   details, what somebody has typed and where they have scrolled stay. Elements are matched by id, else by tag. */
(() => {
  "use strict";
  const KEPT_ATTRIBUTES = new Set(["open", "data-watched"]);
  const sameKind = (one, other) =>
    one.nodeType === other.nodeType && one.nodeName === other.nodeName && (one.id || "") === (other.id || "");

  const attributes = (old, fresh) => {
    for (const { name } of [...old.attributes])
      if (
        !fresh.hasAttribute(name) &&
        !KEPT_ATTRIBUTES.has(name) &&
        !(name === "hidden" && old.matches("[hx-preserve]"))
      )
        old.removeAttribute(name);
    for (const { name, value } of [...fresh.attributes]) {
      if (KEPT_ATTRIBUTES.has(name)) continue;
      if (name === "hidden" && old.matches("[hx-preserve]")) continue;
      if (old.getAttribute(name) !== value) old.setAttribute(name, value);
    }
  };

  const node = (old, fresh) => {
    if (old.nodeType !== Node.ELEMENT_NODE) {
      if (old.nodeValue !== fresh.nodeValue) old.nodeValue = fresh.nodeValue;
      return;
    }
    // What a script has filled, and what a person writes in, is theirs.
    if (old.matches("[hx-preserve], [data-kept]")) return;
    if (old.matches("textarea, select")) return;
    const isTyped = old.matches("input") && !["hidden", "submit", "button"].includes(old.type);
    attributes(old, fresh);
    if (!isTyped) children(old, fresh);
  };

  // `keeps(child)` may hold a child that is gone, `adds(child)` refuse one that is new.
  const children = (parent, fresh, { keeps, adds } = {}) => {
    let place = parent.firstChild;
    for (const wanted of [...fresh.childNodes]) {
      let match = place;
      if (wanted.id) match = [...parent.children].find((child) => child.id === wanted.id) || null;
      else while (match && (match.id || !sameKind(match, wanted))) match = match.nextSibling;
      if (match && !wanted.id && [...iterate(place, match)].some((between) => between.id)) match = null;
      if (!match || !sameKind(match, wanted)) {
        if (!adds || wanted.nodeType !== Node.ELEMENT_NODE || adds(wanted))
          parent.insertBefore(document.importNode(wanted, true), place);
        continue;
      }
      if (match !== place) {
        // What has focus is not moved: it would lose it. What stands before it goes after it.
        if (wanted.id && match.contains(document.activeElement))
          for (const skipped of [...iterate(place, match)].reverse()) parent.insertBefore(skipped, match.nextSibling);
        else if (wanted.id) parent.insertBefore(match, place);
        else for (const skipped of [...iterate(place, match)]) skipped.remove();
      }
      place = match.nextSibling;
      node(match, wanted);
    }
    while (place) {
      const next = place.nextSibling;
      if (!keeps || place.nodeType !== Node.ELEMENT_NODE || !keeps(place)) place.remove();
      place = next;
    }
  };
  const iterate = function* (from, to) {
    for (let one = from; one && one !== to; one = one.nextSibling) yield one;
  };

  // Rows that a list keeps in place: others' rows are not moved under a person's hand.
  window.morph = (old, fresh, rules) => {
    attributes(old, fresh);
    children(old, fresh, rules);
  };
  window.morphNode = node;
})();
