// What every script of the page uses: its data, the state in the link, elements, themes, and where a figure comes from.
// Text from the data reaches the page through textContent, or through Plotly texts that were escaped; nothing here
// builds HTML from strings.
"use strict";
// The page's policy allows no style attributes in markup, and setting one as an attribute counts as that. Plotly does it
// for constants such as "pointer-events: none"; the same through the style object is allowed.
(() => {
  const plain = Element.prototype.setAttribute;
  Element.prototype.setAttribute = function setAttribute(name, value) {
    if (name === "style") this.style.cssText = value; else plain.call(this, name, value);
  };
  // Plotly brings 80 KB of rules for maps, which this page has none of; its own rules go into an element made empty.
  const { head } = document;
  head.appendChild = (node) => (node.tagName === "STYLE" && node.textContent ? node : Node.prototype.appendChild.call(head, node));
})();
const hubstats = (() => {
  const data = JSON.parse(document.getElementById("hubstats-data").textContent);
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const state = new URLSearchParams();
  const readState = () => {
    [...state.keys()].forEach((key) => state.delete(key));
    if (location.hash.includes("=")) new URLSearchParams(location.hash.slice(1)).forEach((value, key) => state.set(key, value));
  };
  readState();

  const make = (tag, properties = {}, ...children) => {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  };
  const remember = (key, value, usual = "") => {
    if (value === usual) state.delete(key);
    else state.set(key, value);
    const text = state.toString();
    history.replaceState(null, "", text ? `#${text}` : location.pathname + location.search);
  };
  // A link inside the page changes what it names and keeps the rest, such as the theme.
  const follow = (fragment) => {
    new URLSearchParams(fragment).forEach((value, key) => state.set(key, value));
    history.pushState(null, "", `#${state.toString()}`);
  };
  const themeIsDark = () => !page.printing && (root.dataset.theme ? root.dataset.theme === "dark" : dark.matches);
  const announcer = document.getElementById("announcer");
  const announce = (text) => { announcer.textContent = text; };
  const goTo = (key) => {
    const place = document.getElementById(key);
    if (!place) return;
    place.scrollIntoView({ block: "start", behavior: "instant" });
    const heading = place.querySelector("h2");
    if (heading) { heading.tabIndex = -1; heading.focus({ preventScroll: true }); }
  };

  // --- where a figure comes from ----------------------------------------------------------------------------------

  const quoted = (text) => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);
  const explainCommand = (id) => `hubstats explain ${quoted(id)} --db ${quoted(data.file)}`;
  const copyButton = (text) => {
    const button = make("button", { type: "button", className: "quiet", textContent: "Copy" });
    button.addEventListener("click", async () => {
      try { await navigator.clipboard.writeText(text); button.textContent = "Copied"; } catch { button.textContent = "Select it by hand"; }
    });
    return button;
  };
  const commandLine = (text) => make("p", { className: "command" }, make("code", { textContent: text }), copyButton(text));
  const strip = document.getElementById("strip");
  let opener = null;
  const closeStrip = () => {
    if (strip.hidden) return;
    strip.hidden = true;
    if (opener?.isConnected) opener.focus({ preventScroll: true });
    opener = null;
  };
  // says: lines of plain text; source: what a view says it rests on; id or ids: the figure's own.
  const openStrip = ({ says, id = null, ids = id ? [id] : [], source = null }, from = null) => {
    opener = from;
    const close = make("button", { type: "button", className: "quiet close", textContent: "Close" });
    close.addEventListener("click", closeStrip);
    const [first, ...rest] = says;
    const parts = [make("p", { className: "strip-head" }, make("strong", { textContent: first })), ...(rest.length ? [make("p", { textContent: rest.join(" \u00b7 ") })] : [])];
    parts.push(...ids.map((one) => commandLine(explainCommand(one))));
    if (source) {
      // "share_by_month technique=LoRA" asks share_by_month with a parameter.
      const asks = source.query.split(",").map((text) => text.trim().split(" ")).filter(([name]) => name).map(([name, ...rest]) =>
        [`hubstats query ${name}`, ...rest.filter((part) => /^\w+=/.test(part)).map((part) => `--param ${quoted(part)}`), `--db ${quoted(data.file)}`].join(" "));
      parts.push(make("p", { className: "source", textContent: source.line + (source.rows ? ` \u00b7 ${source.rows} rows` : "") }));
      if (!ids.length) parts.push(...asks.map(commandLine));
      if (!ids.length && source.explain) parts.push(commandLine(explainCommand(source.explain)));
    }
    strip.replaceChildren(close, ...parts);
    strip.hidden = false;
    if (from) close.focus({ preventScroll: true });
  };
  addEventListener("keydown", (event) => { if (event.key === "Escape") closeStrip(); });
  const sourceButton = (text, figure) => {
    const button = make("button", { type: "button", className: "figure", textContent: text, title: "Where is this from?" });
    button.addEventListener("click", () => openStrip({ ...figure, says: [figure.says ?? text].flat() }, button));
    return button;
  };
  const sourceLine = (source) => make("p", { className: "source" }, make("span", { textContent: `Source: ${source.line}. ` }),
    sourceButton("Ask it yourself", { says: "Where this chart comes from", source }));

  const page = { data, state, readState, follow, make, remember, announce, goTo, themeIsDark, openStrip, closeStrip, sourceButton, sourceLine, quoted, commandLine, copyButton,
    root, dark, panels: {}, drawn: [], printing: false, started: false };
  return page;
})();
