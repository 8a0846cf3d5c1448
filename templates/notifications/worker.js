{% load i18n %}/* Takes empty pushes and shows that something has arrived. What, the server tells whoever is logged in. */
"use strict";
const SOMETHING = "{% filter escapejs %}{% translate 'Nytt meddelande i en av dina brevlådor' %}{% endfilter %}";
const WHERE = "{% url 'notices-now' %}";
const START = "{% url 'start' %}";

self.addEventListener("push", (event) => {
  const shown = fetch(WHERE, { credentials: "same-origin", headers: { "X-Background": "1" }, redirect: "manual" })
    .then((answer) => (answer.ok ? answer.json() : { text: "" }))
    .catch(() => ({ text: "" }))
    .then((said) => self.registration.showNotification(said.text || SOMETHING, { tag: "sdkportal" }));
  event.waitUntil(shown);
});
self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(self.clients.openWindow(START));
});
