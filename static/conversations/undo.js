/* What can be undone for some seconds is offered that long; the server decides. */
(() => {
  "use strict";
  const watch = () =>
    document.querySelectorAll("form.undo:not([data-watched])").forEach((form) => {
      form.dataset.watched = "1";
      setTimeout(() => {
        if (!form.contains(document.activeElement)) form.remove();
      }, Number(form.dataset.seconds) * 1000);
    });
  watch();
  document.body.addEventListener("htmx:afterSwap", watch);
})();
