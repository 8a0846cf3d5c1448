/* Lets this browser take notices: asks for leave, registers the worker, tells the server where to push. */
(() => {
  "use strict";
  const button = document.getElementById("push");
  if (!button || !("serviceWorker" in navigator) || !("PushManager" in window)) return;
  const told = document.getElementById("push-told");
  button.hidden = false;
  button.addEventListener("click", async () => {
    try {
      if ((await Notification.requestPermission()) !== "granted") {
        told.textContent = button.dataset.denied;
        return;
      }
      const registration = await navigator.serviceWorker.register(button.dataset.worker);
      const subscription = await registration.pushManager.subscribe({
        userVisibleOnly: true,
        applicationServerKey: button.dataset.key,
      });
      const data = new FormData();
      data.set("endpoint", subscription.endpoint);
      const token = document.querySelector("[name=csrfmiddlewaretoken]").value;
      const answer = await fetch(button.dataset.url, { method: "POST", body: data, headers: { "X-CSRFToken": token } });
      told.textContent = answer.ok ? button.dataset.done : button.dataset.failed;
    } catch {
      told.textContent = button.dataset.failed;
    }
  });
})();
