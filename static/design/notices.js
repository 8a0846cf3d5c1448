/* Notices of what has been done: for 20 seconds, as long as nobody points at them or has focus in them. What went
   wrong stays until it is closed by going on. */
(() => {
  "use strict";
  const SECONDS = 20;
  const area = document.getElementById("notices");
  if (!area) return;
  const watch = () => {
    for (const notice of area.querySelectorAll(".toast:not([data-watched])")) {
      notice.dataset.watched = "1";
      if (notice.matches(".error, .warning")) continue;
      let left = Number(notice.dataset.seconds || SECONDS);
      const timer = setInterval(() => {
        if (!notice.isConnected) clearInterval(timer);
        else if (notice.matches(":hover, :focus-within")) return;
        left -= 1;
        if (left > 0) return;
        clearInterval(timer);
        notice.remove();
      }, 1000);
    }
  };
  area.addEventListener("click", (event) => {
    if (event.target.closest(".toast-close")) event.target.closest(".toast").remove();
  });
  watch();
  new MutationObserver(watch).observe(area, { childList: true });
})();
