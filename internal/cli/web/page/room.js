"use strict";
// The page of the War Room. Everything that comes from the server, and so from the tenant, becomes text of the page, or goes through
// the Markdown renderer with HTML switched off. Nothing is ever assigned to innerHTML but what that renderer returns.
(() => {
  const at = (id) => document.getElementById(id);
  const line = at("line"), choices = at("choices"), hint = at("hint"), entries = at("entries");
  const markdown = window.markdownit({ html: false, linkify: false, breaks: true });
  // Links lead out of the page, and tell nobody where they were followed.
  markdown.validateLink = (address) => /^https?:\/\//i.test(address);
  const openLink = markdown.renderer.rules.link_open || ((tokens, i, options, env, self) => self.renderToken(tokens, i, options));
  markdown.renderer.rules.link_open = (tokens, i, options, env, self) => {
    tokens[i].attrSet("target", "_blank");
    tokens[i].attrSet("rel", "noopener noreferrer");
    return openLink(tokens, i, options, env, self);
  };
  // An image would ask another host; the policy of the page forbids it, so its text is shown.
  markdown.renderer.rules.image = (tokens, i) => markdown.utils.escapeHtml(tokens[i].content);

  const make = (tag, options = {}, ...children) => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(options)) {
      if (name === "class") element.className = value;
      else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
      else element.setAttribute(name, value);
    }
    element.append(...children.filter((child) => child !== null && child !== undefined));
    return element;
  };
  const time = (stamp) => {
    const date = new Date(stamp);
    return Number.isNaN(date.getTime()) ? String(stamp) : date.toLocaleTimeString();
  };

  const ask = async (address, body) => {
    const response = await fetch(address, body === undefined ? {} : {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
    });
    return { status: response.status, body: await response.json() };
  };
  const say = (text, bad = false) => { hint.textContent = text; hint.classList.toggle("bad", bad); };

  // --- Entries -----------------------------------------------------------------------------------------------------
  const calls = new Map();
  const callOf = (number) => {
    if (!calls.has(number)) opened({ call: number, line: "", at: "" });
    return calls.get(number);
  };
  const atEnd = () => entries.scrollHeight - entries.scrollTop - entries.clientHeight < 80;
  const add = (number, ...elements) => {
    const follow = atEnd(), call = callOf(number);
    call.box.insertBefore(make("div", {}, ...elements), call.waiting);
    if (follow) entries.scrollTop = entries.scrollHeight;
  };
  function opened({ call, line: typed, at: stamp }) {
    if (calls.has(call)) return;
    const stop = make("button", { type: "button", onclick: () => ask("/api/stop", { call }) }, "Stop");
    const waiting = make("p", { class: "waiting", hidden: "" });
    const box = make("article", { class: "call", "aria-label": typed },
      make("div", { class: "typed" }, make("code", {}, typed), make("small", {}, stamp ? time(stamp) : ""), stop), waiting);
    calls.set(call, { box, waiting, stop, due: null });
    entries.append(box);
    entries.scrollTop = entries.scrollHeight;
  }
  function rendered(text) {
    const box = make("div");
    box.innerHTML = markdown.render(text);
    for (const table of box.querySelectorAll("table")) {
      const scroll = make("div", { class: "scroll", tabindex: "0" });
      table.replaceWith(scroll);
      scroll.append(table);
      for (const cell of table.querySelectorAll("td")) {
        if (/^(High|Critical|Failed|Medium|Pending|InProgress|Resolved|Succeeded|Active)$/.test(cell.textContent)) cell.classList.add(cell.textContent);
      }
    }
    return box;
  }
  function shown({ call, entries: list }) {
    for (const one of list) {
      const box = make("div", { class: "entry " + one.kind });
      if (one.kind === "error") box.append(one.text || "");
      else if (one.markdown) box.append(...rendered(one.markdown).childNodes);
      if (one.file) {
        box.append(make("p", {}, make("a", { href: "/files/" + encodeURIComponent(one.file.id), download: one.file.name }, one.file.name),
          ` (${one.file.size.toLocaleString()} bytes, SHA-256 ${one.file.sha256})`));
      }
      if (box.childNodes.length > 0) add(call, box);
    }
  }
  function counted(call) {
    if (!call.due) { call.waiting.hidden = true; return; }
    const left = Math.max(0, Math.round((call.due.at - Date.now()) / 1000));
    const done = call.due.all > 0 ? `${call.due.done} of ${call.due.all} done; ` : "";
    call.waiting.textContent = `${done}${call.due.command} runs again by itself at ${call.due.at.toLocaleTimeString()}, in ${left} s.`;
    call.waiting.hidden = false;
  }
  setInterval(() => calls.forEach(counted), 1000);

  const told = {
    call: opened,
    entries: (data) => { callOf(data.call).due = null; shown(data); },
    waiting: (data) => {
      const call = callOf(data.call);
      call.due = { at: new Date(data.due), command: data.command, done: data.done, all: data.all };
      counted(call);
    },
    ended: (data) => {
      const call = callOf(data.call);
      call.due = null;
      counted(call);
      call.stop.remove();
      call.box.classList.add("ended");
    },
    mirrored: (data) => add(data.call, make("div", { class: "entry mirrored" }, data.text)),
    context: () => readContext(),
    incidents: () => readIncidents(),
  };
  function listen() {
    const source = new EventSource("/api/events");
    for (const [kind, tell] of Object.entries(told)) source.addEventListener(kind, (event) => tell(JSON.parse(event.data)));
    source.onopen = () => { if (hint.textContent === lost) say(""); };
    source.onerror = () => say(lost, true);
  }
  const lost = "The program that serves this page does not answer. It is asked again.";

  // --- Context -----------------------------------------------------------------------------------------------------
  const opens = new Set(); // paths whose branch is open
  function branch(key, value, path) {
    if (value === null || typeof value !== "object") {
      return make("div", { class: "leaf" }, make("span", { class: "key" }, key), ": ", String(value));
    }
    const names = Object.keys(value);
    const list = Array.isArray(value);
    const copy = make("button", { type: "button", class: "copy", title: "Copy the path " + path, "aria-label": "Copy the path " + path,
      onclick: (event) => { event.preventDefault(); navigator.clipboard.writeText("${" + path + "}"); say("Copied ${" + path + "}"); } }, "path");
    const details = make("details", {}, make("summary", {}, make("span", { class: "key" }, key), " ",
      make("span", { class: "kind" }, list ? `[${names.length}]` : `{${names.length}}`), copy));
    const fill = () => {
      if (details.open && details.children.length === 1) {
        const most = 200;
        for (const name of names.slice(0, most)) details.append(branch(name, value[name], list ? `${path}.[${name}]` : (path ? path + "." : "") + name));
        if (names.length > most) details.append(make("div", { class: "leaf kind" }, `… and ${names.length - most} more`));
      }
      details.open ? opens.add(path) : opens.delete(path);
    };
    details.addEventListener("toggle", fill);
    if (opens.has(path)) { details.open = true; fill(); }
    return details;
  }
  let reading = null;
  function readContext() {
    if (reading) { reading.again = true; return; }
    reading = { again: false };
    ask("/api/context").then(({ body }) => {
      const tree = make("div", { class: "tree" });
      for (const name of Object.keys(body || {})) tree.append(branch(name, body[name], name));
      if (tree.childNodes.length > 0) at("context").replaceChildren(tree);
    }).catch(() => {}).finally(() => {
      const again = reading.again;
      reading = null;
      if (again) readContext();
    });
  }

  // --- Incidents ---------------------------------------------------------------------------------------------------
  const openIncidents = new Set();
  async function readIncidents() {
    const { body } = await ask("/api/incidents");
    const list = body || [];
    at("no-incidents").hidden = list.length > 0;
    at("incident-list").replaceChildren(...list.map((incident) => {
      const details = make("details", { class: `s${Math.round(incident.severity)}${incident.closed ? " closed" : ""}` },
        make("summary", {}, incident.name, make("small", {}, `${incident.closed ? "Closed · " : ""}${new Date(incident.occurred).toLocaleString()}`)));
      const fill = () => {
        details.open ? openIncidents.add(incident.id) : openIncidents.delete(incident.id);
        if (!details.open || details.children.length > 1) return;
        const fields = make("div", { class: "tree" });
        for (const [key, value] of Object.entries(incident.mirrored || {})) if (value) fields.append(branch(key, value, ""));
        for (const note of incident.notes || []) fields.append(branch("comment", note, ""));
        if (Object.keys(incident.mirrored || {}).length > 0) fields.append(make("p", { class: "empty" }, "As it was fetched:"));
        for (const [key, value] of Object.entries(incident.fields || {})) fields.append(branch(key, value, `incident.${incident.id}.${key}`));
        const buttons = make("div", { class: "buttons" });
        if (!incident.closed) buttons.append(make("button", { type: "button", onclick: () => closeIncident(incident) }, "Close incident"));
        details.append(fields, buttons);
      };
      details.addEventListener("toggle", fill);
      if (openIncidents.has(incident.id)) { details.open = true; fill(); }
      return make("li", {}, details);
    }));
  }
  async function closeIncident(incident, confirmed = false) {
    const { status, body } = await ask(`/api/incidents/${encodeURIComponent(incident.id)}/close`, { confirmed });
    if (status === 409 && await confirms(body.confirm, "Close " + incident.name)) return closeIncident(incident, true);
  }
  at("fetch").addEventListener("click", () => ask("/api/fetch", {}));
  at("mirror").addEventListener("click", () => ask("/api/mirror", {}));
  setInterval(() => { if (at("every").checked) { ask("/api/fetch", {}); ask("/api/mirror", {}); } }, 60000);

  // --- Portal ------------------------------------------------------------------------------------------------------
  const shortName = (name) => name.split(".")[0];
  const cell = (text, kind = "") => make("td", kind ? { class: kind } : {}, text);
  function grid(title, columns, rows) {
    return [make("h3", {}, title), make("div", { class: "scroll" }, make("table", {},
      make("thead", {}, make("tr", {}, ...columns.map((column) => make("th", { scope: "col" }, column)))), make("tbody", {}, ...rows)))];
  }
  let portalText = "";
  async function readPortal() {
    if (at("side").hidden || at("portal").hidden) return;
    const { body } = await ask("/api/portal");
    if (!body || JSON.stringify(body) === portalText) return;
    portalText = JSON.stringify(body);
    at("portal").replaceChildren(
      ...grid("Devices", ["Device", "Health", "Risk", "State"], (body.machines || []).map((one) => make("tr", {},
        cell(shortName(one.name)), cell(one.health, one.health), cell(one.risk, one.risk), cell(one.isolated ? "Isolated" : "", "isolated")))),
      ...grid("Alerts", ["Alert", "Severity", "Status", "Device"], (body.alerts || []).map((one) => make("tr", {},
        cell(one.title), cell(one.severity, one.severity), cell(one.status, one.status), cell(shortName(one.machine))))),
      ...grid("Action center", ["Action", "Device", "Status"], (body.actions || []).map((one) => make("tr", {},
        cell(one.type), cell(shortName(one.machine)), cell(one.status, one.status)))));
  }
  setInterval(() => readPortal().catch(() => {}), 2000);

  // --- Panels ------------------------------------------------------------------------------------------------------
  let side = "context";
  function panels() {
    for (const button of document.querySelectorAll("nav button")) {
      const name = button.dataset.panel;
      button.setAttribute("aria-pressed", String(name === "incidents" ? !at("incidents").hidden : !at("side").hidden && side === name));
    }
    document.querySelector("main").classList.toggle("no-incidents", at("incidents").hidden);
    document.querySelector("main").classList.toggle("no-side", at("side").hidden);
    at("context").hidden = side !== "context";
    at("portal").hidden = side !== "portal";
    at("side-title").textContent = side === "context" ? "Context" : "Portal of the simulated tenant";
  }
  for (const button of document.querySelectorAll("nav button")) {
    button.addEventListener("click", () => {
      const name = button.dataset.panel;
      if (name === "incidents") at("incidents").hidden = !at("incidents").hidden;
      else if (side === name) at("side").hidden = !at("side").hidden;
      else { side = name; at("side").hidden = false; }
      panels();
      readPortal().catch(() => {});
    });
  }

  // --- Command line ------------------------------------------------------------------------------------------------
  let about = { commands: [], simulated: false };
  const history = [];
  let past = 0, chosen = -1, offers = [], looking = 0;

  // The word in which the cursor is, and the command that the line begins with.
  function place() {
    const before = line.value.slice(0, line.selectionStart);
    const start = before.search(/\S*$/);
    const command = (line.value.trim().match(/^!?(\S+)/) || [])[1] || "";
    return { word: before.slice(start), start, first: before.trim().search(/\s/) < 0, command: about.commands.find((one) => one.name === command) };
  }
  const fits = (text, typed) => text.toLowerCase().includes(typed.toLowerCase());
  async function offer() {
    const number = ++looking;
    const { word, first, command } = place();
    let found = [];
    if (first) {
      const typed = word.replace(/^!/, "");
      if (typed) found = about.commands.filter((one) => fits(one.name, typed)).map((one) => ({ text: "!" + one.name, help: one.help, after: " " }));
    } else if (command) {
      const [name, ...rest] = word.split("=");
      if (rest.length === 0) {
        found = command.arguments.filter((one) => one.name.startsWith(name) && !new RegExp(`\\s${one.name}=`).test(line.value))
          .map((one) => ({ text: one.name + "=", help: one.help, after: "" }));
      } else {
        const argument = command.arguments.find((one) => one.name === name);
        const values = rest.join("="), comma = values.lastIndexOf(",") + 1;
        const typed = values.slice(comma), before = name + "=" + values.slice(0, comma);
        if (argument && argument.values) found = argument.values.filter((value) => fits(value, typed)).map((value) => ({ text: before + value, help: "", after: " " }));
        else if (argument && argument.looked) {
          await new Promise((resolve) => setTimeout(resolve, 150)); // one request for what is typed at once
          if (number !== looking) return;
          const { body } = await ask("/api/complete", { command: command.name, argument: name, typed });
          if (number !== looking) return;
          found = (body || []).map((one) => ({ text: before + one.value, help: one.help, after: " " }));
        }
        if (argument) say(argument.help);
      }
    }
    if (number !== looking) return;
    offers = found.filter((one) => one.text !== word).slice(0, 60);
    chosen = offers.length > 0 ? 0 : -1;
    draw();
  }
  function draw() {
    choices.replaceChildren(...offers.map((one, i) => make("li", {
      role: "option", id: "choice" + i, "aria-selected": String(i === chosen), onmousedown: (event) => { event.preventDefault(); take(i); },
    }, make("span", {}, one.text), make("span", {}, one.help))));
    choices.hidden = offers.length === 0;
    line.setAttribute("aria-expanded", String(offers.length > 0));
    if (chosen >= 0) {
      line.setAttribute("aria-activedescendant", "choice" + chosen);
      choices.children[chosen].scrollIntoView({ block: "nearest" });
    } else line.removeAttribute("aria-activedescendant");
  }
  function close() { offers = []; chosen = -1; looking++; draw(); }
  function take(i) {
    const { word, start } = place(), one = offers[i];
    const end = start + word.length;
    line.setRangeText(one.text + one.after, start, end, "end");
    close();
    offer();
  }
  function grow() { line.style.height = "auto"; line.style.height = Math.min(line.scrollHeight + 2, innerHeight * 0.3) + "px"; }
  line.addEventListener("input", () => { say(""); grow(); offer().catch(() => {}); });
  // Enter runs the line; it breaks it only together with Shift.
  let shifted = false;
  addEventListener("keydown", (event) => { shifted = event.shiftKey; }, true);
  line.addEventListener("beforeinput", (event) => { if (/^insert(LineBreak|Paragraph)$/.test(event.inputType) && !shifted) event.preventDefault(); });
  line.addEventListener("blur", () => setTimeout(close, 100));
  line.addEventListener("keydown", (event) => {
    const open = offers.length > 0;
    if (open && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
      chosen = (chosen + (event.key === "ArrowDown" ? 1 : offers.length - 1)) % offers.length;
      draw();
    } else if (open && event.key === "Tab" && !event.shiftKey) take(chosen);
    else if (open && event.key === "Escape") close();
    else if (event.key === "Enter" && !event.shiftKey) { at("form").requestSubmit(); }
    else if (!open && event.key === "ArrowUp" && history.length > 0 && !line.value.slice(0, line.selectionStart).includes("\n")) {
      past = Math.max(0, past - 1);
      line.value = history[past];
    } else if (!open && event.key === "ArrowDown" && past < history.length) {
      past++;
      line.value = history[past] || "";
    } else return;
    event.preventDefault();
    grow();
  });
  at("form").addEventListener("submit", (event) => { event.preventDefault(); run(line.value.trim()).catch(() => say(lost, true)); });

  async function run(typed, confirmed = false) {
    if (!typed) return;
    // The next line can be typed while this one is on its way; it comes back if it was not taken.
    put("");
    const { status, body } = await ask("/api/run", { line: typed, confirmed });
    if (status === 409) {
      if (await confirms(body.confirm, typed)) return run(typed, true);
      put(typed);
    } else if (body.error) {
      if (line.value === "") put(typed);
      say(body.error, true);
    } else {
      history.push(typed);
      past = history.length;
    }
  }
  function put(text) {
    line.value = text;
    say("");
    close();
    grow();
  }
  function confirms(text, typed) {
    const dialog = at("confirm");
    at("confirm-text").textContent = text;
    at("confirm-line").textContent = typed;
    dialog.returnValue = "no";
    dialog.showModal();
    return new Promise((resolve) => dialog.addEventListener("close", () => { line.focus(); resolve(dialog.returnValue === "yes"); }, { once: true }));
  }

  async function start() {
    const { body } = await ask("/api/about");
    about = body;
    const tenant = at("tenant");
    at("banner").classList.toggle("real", !about.simulated);
    tenant.textContent = about.simulated
      ? `Instance ${about.instance}, on a simulated tenant inside this program. No real tenant is contacted or changed.`
      : `Instance ${about.instance}, on the tenant at ${about.tenant}. What you run here happens there.`;
    document.title = (about.simulated ? "" : "⚠ ") + "War Room: " + about.instance;
    document.querySelector('[data-panel="portal"]').hidden = !about.simulated;
    if (about.simulated) side = "portal";
    if (innerWidth < 960) { at("incidents").hidden = true; at("side").hidden = true; }
    panels();
    listen();
    readIncidents();
    readContext();
    readPortal();
    line.focus();
  }
  start().catch(() => say(lost, true));
})();
