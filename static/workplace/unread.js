/* How many conversations are new, in the page's title and as a dot on its icon: seen in a tab in the background. */
(() => {
  "use strict";
  const sidebar = document.getElementById("sidebar");
  const icon = document.querySelector('link[rel="icon"]');
  const title = document.querySelector("title");
  if (!sidebar || !icon || !title) return;
  const plain = icon.getAttribute("href");
  let own = "";
  let set = "";
  const tell = () => {
    if (document.title !== set) own = document.title;
    const count = [...sidebar.querySelectorAll(".badge.new")].reduce(
      (sum, badge) => sum + (Number.parseInt(badge.textContent, 10) || 0),
      0,
    );
    set = count ? `(${count}) ${own}` : own;
    if (document.title !== set) document.title = set;
    const wanted = count ? icon.dataset.unread : plain;
    if (icon.getAttribute("href") !== wanted) icon.setAttribute("href", wanted);
  };
  const observer = new MutationObserver(tell);
  observer.observe(sidebar, { childList: true, characterData: true, subtree: true });
  observer.observe(title, { childList: true, characterData: true, subtree: true });
  tell();
})();
