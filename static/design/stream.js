/* One stream of events for one browser: of the tabs that are seen, one holds it and tells the others.
   A browser opens few connections to a server (six, by HTTP/1.1): a stream in every tab would leave none to save by.

   A lock chooses the tab; it is free again when the tab closes, crashes or is hidden. A tab that is hidden holds
   nothing, and looks once when it is seen again. Where a browser has no locks or channels, each seen tab has a
   stream of its own. */
(() => {
  "use strict";
  const CHANNEL = "sdkportal-events";
  const SAID_AGAIN_MS = 20000;
  const FORGOTTEN_MS = 60000;
  const FIRST_PAUSE_MS = 2000;
  const LONGEST_PAUSE_MS = 60000;
  // The server says at least every 15 seconds that it is there, and remembers for 45 what it has told.
  const KNOWN_MS = 20000;
  const LONGEST_GAP_MS = 30000;

  // When the server made this page. What a browser shows again from its own memory may be old.
  const fetchedAt = () => {
    const navigation = performance.getEntriesByType("navigation")[0];
    if (!navigation || navigation.type === "back_forward") return 0;
    return performance.timeOrigin + navigation.responseStart;
  };

  // `address` says in its query what this page shows; `tell(name)` is called with "changed", "presence", "ended".
  window.openEvents = (address, tell) => {
    const here = new URL(address, location.href);
    let myPlaces = here.search.replace(/^\?/, "");
    const tab = crypto.randomUUID ? crypto.randomUUID() : String(Math.random());
    const canShare = Boolean(navigator.locks && window.BroadcastChannel);
    const channel = canShare ? new BroadcastChannel(CHANNEL) : null;
    const others = new Map();
    let source = null;
    let shown = "";
    let pause = FIRST_PAUSE_MS;
    let again = null;
    let release = null;
    let asking = null;
    let isOver = false;
    let lastSaid = 0;
    // Until when it is known that nothing was missed.
    let knownAt = fetchedAt();

    const isSeen = () => document.visibilityState !== "hidden";
    const places = () => {
      const all = new Set(myPlaces ? [myPlaces] : []);
      for (const [other, said] of others) {
        if (Date.now() - said.at > FORGOTTEN_MS) others.delete(other);
        else if (said.places) all.add(said.places);
      }
      return [...all].sort().join("&");
    };
    const close = () => {
      clearTimeout(again);
      if (source) source.close();
      source = null;
    };
    const pass = (name) => {
      lastSaid = Date.now();
      tell(name);
      if (channel) channel.postMessage({ name });
      if (name === "ended") stop();
    };
    const open = () => {
      close();
      shown = places();
      const gap = () => Math.abs(Date.now() - knownAt);
      // What is up to date need not be fetched again because another stream is opened.
      const isContinued = gap() < KNOWN_MS;
      const query = [shown, isContinued ? "continued=1" : ""].filter(Boolean).join("&");
      source = new EventSource(here.pathname + (query ? "?" + query : ""));
      source.onopen = () => {
        pause = FIRST_PAUSE_MS;
        lastSaid = Date.now();
        // The browser may have come back by itself, to the same address, after a long time.
        if (isContinued && gap() > LONGEST_GAP_MS) pass("changed");
      };
      source.addEventListener("here", () => {
        knownAt = Date.now();
      });
      ["changed", "presence", "ended"].forEach((name) =>
        source.addEventListener(name, () => {
          knownAt = Date.now();
          pass(name);
        }),
      );
      source.onerror = () => {
        // It comes back by itself, but not from an answer that refuses it, such as 503.
        if (!source || source.readyState !== EventSource.CLOSED) return;
        close();
        again = setTimeout(open, pause * (1 + Math.random()));
        pause = Math.min(pause * 2, LONGEST_PAUSE_MS);
      };
    };
    const say = (more) => {
      if (channel) channel.postMessage({ tab, places: myPlaces, ...more });
    };
    // Whoever holds the stream opens it anew where its tabs show something else than it says.
    const match = () => {
      if (source && places() !== shown) open();
    };

    const begin = () => {
      if (isOver || !isSeen() || source || asking || release) return;
      if (!canShare) {
        open();
        return;
      }
      say();
      asking = new AbortController();
      navigator.locks
        .request(
          CHANNEL,
          { signal: asking.signal },
          () =>
            new Promise((resolve) => {
              asking = null;
              release = resolve;
              if (isOver || !isSeen()) {
                end();
                return;
              }
              open();
              // The others say what they show.
              channel.postMessage({ who: true });
            }),
        )
        .catch(() => {});
    };
    const end = () => {
      close();
      others.clear();
      if (asking) asking.abort();
      asking = null;
      if (release) release();
      release = null;
    };
    const leave = () => {
      say({ isGone: true });
      end();
    };
    const stop = () => {
      if (isOver) return;
      isOver = true;
      end();
      clearInterval(timer);
    };

    if (channel) {
      channel.onmessage = ({ data }) => {
        if (isOver) return;
        if (data.name) {
          lastSaid = Date.now();
          if (isSeen() || data.name === "ended") tell(data.name);
          if (data.name === "ended") stop();
        } else if (data.isAlive || data.who) {
          lastSaid = Date.now();
          if (data.who && isSeen()) say();
        } else if (data.isGone) {
          others.delete(data.tab);
          match();
        } else if (release) {
          others.set(data.tab, { places: data.places, at: Date.now() });
          match();
        }
      };
    }
    const timer = setInterval(() => {
      if (!release) {
        if (isSeen()) say();
        return;
      }
      if (source && source.readyState === EventSource.OPEN) channel.postMessage({ isAlive: true });
      match();
    }, SAID_AGAIN_MS);
    document.addEventListener("visibilitychange", () => {
      if (!isSeen()) {
        leave();
        return;
      }
      begin();
      // What happened meanwhile was not heard.
      if (!isOver) tell("changed");
    });
    addEventListener("pagehide", leave);
    addEventListener("pageshow", (event) => {
      if (event.persisted) begin();
    });
    begin();

    return {
      stop,
      // The page shows something else now: `query` says what, as the address did.
      show: (query) => {
        if (query === myPlaces) return;
        myPlaces = query;
        say();
        match();
      },
      // Whether something is listened to now, here or by another tab.
      isHeard: () =>
        Boolean(source && source.readyState === EventSource.OPEN) ||
        (canShare && !release && Date.now() - lastSaid < FORGOTTEN_MS),
    };
  };
})();
