/* Says that scripts run: to the stylesheets, and to the server, which then waits to be told what has been seen. */
(() => {
  "use strict";
  document.documentElement.classList.add("js");
  // biome-ignore lint/suspicious/noDocumentCookie: read by the server, and older browsers have no cookieStore
  document.cookie = `sdkportal-scripts=1; path=/; samesite=lax${location.protocol === "https:" ? "; secure" : ""}`;
  try {
    if (localStorage.getItem("sdk-compact")) document.documentElement.classList.add("is-compact");
  } catch {
    // A browser that keeps nothing has the roomy list.
  }
})();
