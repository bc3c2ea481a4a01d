// Comfort only: every page works without it. The browser's time zone, keys in a list, on a message and in a trace, "all",
// and a form that is sent once.
"use strict";

// Days and times of the next page are those of this zone.
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
if (zone) document.cookie = `zone=${zone}; Path=/; SameSite=Lax; Max-Age=31536000${location.protocol === "https:" ? "; Secure" : ""}`;

for (const form of document.querySelectorAll("form[data-once]")) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) {
      event.preventDefault();
      return;
    }
    form.dataset.sent = "yes";
    // After this event: a disabled button would not be part of what is sent.
    setTimeout(() => {
      for (const button of form.querySelectorAll("button")) button.disabled = true;
    });
  });
}
// Back from the next page, the form may be sent again.
addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-once]")) {
    delete form.dataset.sent;
    for (const button of form.querySelectorAll("button")) button.disabled = false;
  }
});

const list = document.querySelector("[data-list]");
if (list) {
  const rows = [...list.querySelectorAll("[data-row]")];
  const boxes = rows.map((row) => row.querySelector("input[type=checkbox]"));
  const all = list.querySelector("[data-all]");
  const allBox = all.querySelector("input");
  const chosen = list.querySelector("[data-chosen]");
  const matching = list.querySelector("[data-matching]");
  let here = -1;

  all.hidden = false;
  list.querySelector("[data-keys]").hidden = false;

  const count = () => {
    const number = boxes.filter((box) => box.checked).length;
    chosen.textContent = matching?.checked ? "All that match:" : number ? `${number} selected:` : "Selected messages:";
    allBox.checked = number === boxes.length;
    allBox.indeterminate = number > 0 && number < boxes.length;
  };
  const chooseAll = (on) => {
    for (const box of boxes) box.checked = on;
    count();
  };
  const go = (to) => {
    if (here >= 0) rows[here].classList.remove("here");
    here = Math.max(0, Math.min(rows.length - 1, to));
    rows[here].classList.add("here");
    rows[here].querySelector("a").focus({ preventScroll: true });
    rows[here].scrollIntoView({ block: "nearest" });
  };

  allBox.addEventListener("change", () => chooseAll(allBox.checked));
  list.addEventListener("change", count);
  list.addEventListener("submit", (event) => {
    if (!matching?.checked && !boxes.some((box) => box.checked)) {
      event.preventDefault();
      chosen.textContent = "Select messages first.";
    }
  });
  addEventListener("pageshow", count);

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const target = event.target;
    if (target.matches("select, textarea, input:not([type=checkbox])")) return;
    if (event.key === "j") go(here + 1);
    else if (event.key === "k") go(here < 0 ? 0 : here - 1);
    else if (event.key === "x" && here >= 0) {
      boxes[here].checked = !boxes[here].checked;
      count();
    } else if (event.key === "a") chooseAll(!boxes.every((box) => box.checked));
    else if (event.key === "Enter" && here >= 0 && !target.matches("a, button, summary"))
      rows[here].querySelector("a").click();
    else if (event.key === "/") document.querySelector("#f-text").focus();
    else return;
    event.preventDefault();
  });
}

const neighbours = document.querySelector("[data-neighbours]");
if (neighbours) {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.matches("select, textarea, input")) return;
    const wanted = { j: "next", k: "prev" }[event.key];
    const link = wanted && neighbours.querySelector(`[rel=${wanted}]`);
    if (link) link.click();
  });
}

const steps = [...document.querySelectorAll("[data-step]")];
if (steps.length) {
  for (const keys of document.querySelectorAll("[data-step-keys]")) keys.hidden = false;
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.matches("select, textarea, input")) return;
    const here = steps.findIndex((step) => step.matches(":target"));
    if (event.key === "j") location.hash = steps[Math.min(here + 1, steps.length - 1)].id;
    else if (event.key === "k") location.hash = steps[Math.max(here - 1, 0)].id;
    else return;
    event.preventDefault();
  });
}

// Messages as they come. Rows are made of text, never of HTML.
const live = document.querySelector("[data-live]");
if (live) {
  const body = live.querySelector("tbody");
  const state = document.querySelector("[data-live-state]");
  const pause = document.querySelector("[data-live-pause]");
  const known = new Set([...body.rows].map((row) => row.dataset.id));
  const most = Number(live.dataset.most);
  let held = [];
  const add = (one) => {
    const row = document.createElement("tr");
    row.dataset.id = one.id;
    for (const [kind, text] of [["when", one.when], ["from", one.sender], ["to", one.to], ["subject", one.subject], ["state", one.action], ["number score", one.points]]) {
      const cell = row.insertCell();
      cell.className = kind;
      const inner = document.createElement("bdi");
      inner.textContent = text;
      if (kind === "subject") {
        const link = document.createElement("a");
        link.href = `/history/${encodeURIComponent(one.id)}`;
        link.append(inner);
        cell.append(link);
      } else cell.append(inner);
    }
    body.prepend(row);
    while (body.rows.length > most) {
      known.delete(body.lastElementChild.dataset.id);
      body.lastElementChild.remove();
    }
  };
  const source = new EventSource(live.dataset.live);
  source.onopen = () => { state.textContent = "New ones appear by themselves."; };
  source.onerror = () => { state.textContent = source.readyState === EventSource.CLOSED ? "No more appear: load the page again." : "The connection is lost; trying again."; };
  source.onmessage = (event) => {
    const one = JSON.parse(event.data);
    if (known.has(one.id)) return;
    known.add(one.id);
    if (pause.getAttribute("aria-pressed") === "true") held = [...held, one].slice(-most);
    else add(one);
  };
  source.addEventListener("end", (event) => {
    source.close();
    state.textContent = `${event.data} Load the page again.`;
  });
  pause.hidden = false;
  pause.addEventListener("click", () => {
    const on = pause.getAttribute("aria-pressed") !== "true";
    pause.setAttribute("aria-pressed", String(on));
    if (!on) held.splice(0).forEach(add);
  });
}
