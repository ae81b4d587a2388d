// What the pages gain from scripts. Everything works without: see the templates.
(() => {
  "use strict";
  const all = (selector, root = document) => root.querySelectorAll(selector);

  // Copy buttons. The clipboard is missing on plain http away from localhost: then the text is selected instead.
  const copy = async (button) => {
    const source = button.parentElement.querySelector("code, pre");
    const text = source.textContent.trim();
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const range = document.createRange();
      range.selectNodeContents(source);
      getSelection().removeAllRanges();
      getSelection().addRange(range);
      if (!document.execCommand("copy")) return toast("The text is selected: copy it with Ctrl or ⌘ and C.");
    }
    button.classList.add("is-copied");
    say("Copied");
    setTimeout(() => button.classList.remove("is-copied"), 1600);
  };

  const say = (words) => {
    const voice = document.getElementById("voice");
    if (voice) voice.textContent = words;
  };

  const toast = (words, kind = "warn") => {
    const box = document.createElement("div");
    box.className = `notice notice-${kind}`;
    box.setAttribute("role", kind === "bad" ? "alert" : "status");
    box.textContent = words;
    document.getElementById("toasts")?.append(box);
    fade();
  };

  // Toasts leave after a while, those that the server sent too.
  const fade = () => {
    for (const box of all("#toasts > .notice:not([data-leaving])")) {
      box.dataset.leaving = "";
      setTimeout(() => box.remove(), 8000);
    }
  };

  // Times come as UTC and are shown in the zone that the reader chose, or else the browser's.
  const timeZone = document.documentElement.dataset.zone;
  const dayOf = (at) => at.toLocaleDateString("en", { timeZone });
  const clock = { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23", timeZone };
  const localise = (root) => {
    for (const element of all("time[datetime]", root)) {
      const at = new Date(element.dateTime);
      if (isNaN(at)) continue;
      const time = at.toLocaleTimeString([], clock);
      const day = at.toLocaleDateString([], { day: "numeric", month: "short", timeZone });
      const short = element.dataset.show === "minute" ? time.slice(0, 5) : time;
      const words = element.dataset.show === "day" ? at.toLocaleDateString([], { dateStyle: "medium", timeZone })
        : dayOf(at) === dayOf(new Date()) || element.dataset.show === "minute" ? short : `${day}, ${short}`;
      if (element.textContent !== words) element.textContent = words;
      element.title = at.toLocaleString([], { dateStyle: "full", timeStyle: "long", timeZone });
    }
  };

  // Countdowns: data-left is the number of seconds at the moment the server wrote it.
  const started = new WeakMap();
  const remaining = (seconds) => seconds < 90 ? `${seconds} s`
    : seconds < 5400 ? `${Math.ceil(seconds / 60)} min` : `${Math.ceil(seconds / 3600)} h`;
  const tick = () => {
    for (const element of all("[data-left]")) {
      const known = started.get(element);
      if (known?.left !== element.dataset.left) started.set(element, { left: element.dataset.left, at: Date.now() });
      const seconds = Math.ceil(element.dataset.left - (Date.now() - started.get(element).at) / 1000);
      element.textContent = seconds > 0 ? remaining(seconds) : "now";
    }
  };

  const refresh = (root) => { localise(root); tick(); };

  // What others change: one stream of events in each visible tab. data-after is how far the page was when it was made.
  const live = document.querySelector("[data-events]");
  let after = live?.dataset.after;
  let stream, retry, patience = 1000;
  const tell = (topic, detail) => document.body.dispatchEvent(new CustomEvent(topic, { detail }));
  const hangUp = () => { clearTimeout(retry); stream?.close(); };
  const listen = () => {
    hangUp();
    if (!after || document.hidden) return;
    stream = new EventSource(`${live.dataset.events}?after=${after}`);
    const on = (name, act) => stream.addEventListener(name, (event) => { after = event.lastEventId; act(event); });
    on("ready", () => { patience = 1000; });
    on("resync", () => { tell("registry"); tell("health"); });
    for (const topic of ["registry", "health"]) on(topic, (event) => tell(topic, JSON.parse(event.data)));
    stream.addEventListener("over", () => { hangUp(); after = ""; toast("Your session is over. Sign in again to go on."); });
    stream.onerror = () => {
      hangUp();
      retry = setTimeout(listen, patience * (0.5 + Math.random()));
      patience = Math.min(2 * patience, 60000);
    };
  };
  document.addEventListener("visibilitychange", () => {
    listen();
    if (after && !document.hidden) tell("health"); // only registry events are kept for who comes back
  });

  // A form is never replaced; it says that what it shows was changed. Our own change is none of that.
  document.addEventListener("submit", (event) => {
    if (!event.target.matches("[hx-get], [hx-post], [method=dialog]")) hangUp();
  });
  document.addEventListener("input", (event) => event.target.form?.setAttribute("data-edited", ""));
  document.body.addEventListener("registry", ({ detail }) => {
    for (const part of all("[data-shows]")) {
      if (!detail?.ids.some((id) => part.dataset.shows.split(" ").includes(id))) continue;
      const box = part.querySelector(":scope > [data-elsewhere]") ?? document.createElement("div");
      Object.assign(box, { className: "notice notice-warn", role: "status" });
      box.dataset.elsewhere = "";
      part.prepend(box);
      const link = document.createElement("a");
      Object.assign(link, { href: location.href, textContent: "Reload" });
      box.replaceChildren(...detail.action === "delete" ? ["This was deleted elsewhere."]
        : ["This was changed elsewhere after you opened it. ", link, " to see it; what you typed here is lost then."]);
    }
  });

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copy]");
    if (button) return copy(button);
    const closer = event.target.closest("[data-close]");
    if (closer?.closest("dialog")) { event.preventDefault(); closer.closest("dialog").close(); }
    const theme = event.target.closest("[data-theme-choice]");
    if (theme) {
      document.documentElement.dataset.theme = theme.value;
      for (const other of all("[data-theme-choice]")) other.setAttribute("aria-pressed", other === theme);
    }
    const pause = event.target.closest("[data-pause]");
    if (pause) pause.setAttribute("aria-pressed", pause.getAttribute("aria-pressed") !== "true");
  });

  // Hidden tabs and paused pages do not refresh. A refresh must not take away what the reader is using: it comes later.
  const AUTOMATIC = ["every", "registry", "health"];
  const late = new Set();
  const paused = () => document.hidden || document.querySelector("[data-pause][aria-pressed='true'], dialog[open], [hx-trigger^=every] details[open]");
  const inUse = (part) => part.querySelector("input:focus, textarea:focus, select:focus, form[data-edited]");
  const yieldToReader = (event) => {
    const { sourceEvent, sourceElement, request } = event.detail.ctx;
    if (!AUTOMATIC.includes(sourceEvent?.type)) return;
    request.headers["X-Unattended"] = "1";
    if (!paused() && !inUse(sourceElement)) return;
    event.preventDefault();
    if (sourceEvent.type !== "every") late.add(sourceEvent.type);
  };
  document.addEventListener("htmx:before:request", yieldToReader);
  document.addEventListener("htmx:before:response", yieldToReader);
  const catchUp = () => {
    if (!late.size || paused()) return;
    const topics = [...late];
    late.clear();
    for (const topic of topics) tell(topic);
  };

  document.addEventListener("htmx:after:swap", (event) => {
    refresh(document);
    fade();
    const dialog = event.detail.ctx.target?.closest?.("dialog");
    if (dialog && !dialog.open) dialog.showModal();
  });

  // What a dialog showed may have been a secret: it does not outlive it.
  document.getElementById("dialog")?.addEventListener("close", (event) => event.target.replaceChildren());

  document.addEventListener("htmx:confirm", (event) => {
    const dialog = document.getElementById("dialog");
    if (!dialog) return;
    event.preventDefault();
    const { ctx, issueRequest, dropRequest } = event.detail;
    const words = document.createElement("p");
    words.textContent = ctx.confirm;
    const row = document.createElement("form");
    row.method = "dialog";
    row.className = "row row-end";
    for (const [value, label, look] of [["no", "Cancel", "button"], ["yes", "Continue", "button button-main"]]) {
      const button = document.createElement("button");
      Object.assign(button, { value, textContent: label, className: look });
      row.append(button);
    }
    dialog.replaceChildren(words, row);
    dialog.returnValue = "no";
    dialog.addEventListener("close", () => (dialog.returnValue === "yes" ? issueRequest() : dropRequest()), { once: true });
    dialog.showModal();
  });

  document.addEventListener("htmx:error", (event) => {
    if (AUTOMATIC.includes(event.detail.ctx?.sourceEvent?.type)) return say("The page could not be refreshed.");
    toast("The gateway did not answer. Check that it is running, then try again.", "bad");
  });

  // An answer that is no page of ours: the gateway failed, or something before it did.
  document.addEventListener("htmx:response:error", (event) => {
    const { response, text } = event.detail.ctx;
    if (response.status >= 500 && !text.includes("<hx-partial")) toast("The gateway failed. Its log tells why.", "bad");
  });

  // Keys: / to search, g then a letter to go somewhere.
  let pending = false;
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select, dialog")) return;
    if (event.key === "/") {
      const field = document.querySelector("input[type=search]");
      if (field) { event.preventDefault(); field.focus(); field.select(); }
    } else if (pending) {
      document.querySelector(`[data-key="${CSS.escape(event.key)}"]`)?.click();
    }
    pending = event.key === "g";
    if (pending) setTimeout(() => { pending = false; }, 1200);
  });

  setInterval(() => { tick(); catchUp(); }, 1000);
  refresh(document);
  listen();
})();
