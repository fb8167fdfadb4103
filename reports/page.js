// Draws what Python prepared: charts, tables and their controls. Text from the data reaches the page through
// textContent or through Plotly texts that were escaped in Python; nothing here builds HTML from strings.
(() => {
  "use strict";
  const data = JSON.parse(document.getElementById("hubstats-data").textContent);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const root = document.documentElement;
  const state = new URLSearchParams(location.hash.includes("=") ? location.hash.slice(1) : "");
  const drawn = [];
  let printing = false;
  let started = false;

  const make = (tag, properties = {}, ...children) => {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  };
  const remember = (key, value, usual) => {
    if (value === usual) state.delete(key);
    else state.set(key, value);
    const text = state.toString();
    history.replaceState(null, "", text ? `#${text}` : location.pathname + location.search);
  };
  const themeIsDark = () => !printing && (root.dataset.theme ? root.dataset.theme === "dark" : dark.matches);

  // --- charts ---------------------------------------------------------------------------------------------------

  const repaint = (value) => {
    if (!themeIsDark()) return value;
    if (typeof value === "string") {
      return data.palette[value] ?? value.replace(/style='color:(#[0-9a-f]{6})'/g, (all, hex) => `style='color:${data.palette[hex] ?? hex}'`);
    }
    if (Array.isArray(value)) return value.map(repaint);
    if (value && typeof value === "object") return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, repaint(item)]));
    return value;
  };
  const escaped = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
  const fontSize = () => parseFloat(getComputedStyle(root).fontSize) * 0.8;
  const ruler = document.createElement("canvas").getContext("2d");

  // Words are moved to a further line where one is too short. Titles come escaped.
  const linesOf = (text, room, size) => {
    ruler.font = `${size}px ${getComputedStyle(root).getPropertyValue("--sans")}`;
    const lines = [""];
    for (const word of text.split(" ")) {
      const longer = lines.at(-1) ? `${lines.at(-1)} ${word}` : word;
      if (ruler.measureText(longer).width > room && lines.at(-1)) lines.push(word); else lines[lines.length - 1] = longer;
    }
    return lines;
  };
  const wrapped = (text, room, size) => linesOf(text, room, size).join("<br>");

  const narrowed = (meta, width) => meta.labelsAbove && width < 620;
  // Labels above the rows, wrapped: each row is as tall as its own label. Positions are pixels from the top, and the
  // rows' numbers in the traces are put where the rows then are.
  const layRows = (painted, width, size, ink, soft, ground) => {
    const { rowLabels } = painted.layout.meta;
    const notes = [];
    const centres = [];
    let top = 0;
    let beside = false;
    rowLabels.forEach((row) => {
      if (row.beside && !beside) top += size * 1.2;
      beside = row.beside;
      const lead = row.lead.replaceAll(" ", "\u00a0"); // stays on one line, in bold
      const [head, ...rest] = linesOf(`${lead} ${row.text}`, width - 24 - size * 2, size);
      const text = [`<b>${escaped(head.slice(0, lead.length))}</b>${escaped(head.slice(lead.length))}`, ...rest.map(escaped)].join("<br>");
      notes.push({ xref: "paper", x: 0, xanchor: "left", y: top, yanchor: "top", align: "left", showarrow: false, text, font: { size, color: row.beside ? soft : ink }, bgcolor: ground.paper, borderpad: 1 });
      centres.push(top + (rest.length + 1) * size * 1.3 + size * 0.95);
      top = centres.at(-1) + size * 1.25;
    });
    const data = painted.data.map((trace) => ({ ...trace, y: trace.y.map((row) => centres[row] ?? row) }));
    return { data, notes, tall: top, yaxis: { ...painted.layout.yaxis, range: [top, -4] } };
  };

  // Numbers of events at the top, in as many lanes as keep them apart.
  const placeMoments = (holder, moments, soft, ground) => {
    const { xaxis } = holder._fullLayout;
    const size = fontSize() * 0.9;
    ruler.font = `700 ${size}px ${holder._fullLayout.font.family}`;
    const ends = [];
    return moments.map((moment) => {
      const width = ruler.measureText(moment.text).width + 5;
      const at = xaxis.d2p(moment.x);
      let lane = ends.findIndex((end) => end <= at - width / 2);
      if (lane < 0) lane = ends.length;
      ends[lane] = at + width / 2;
      return { xref: "x", x: moment.x, yref: "paper", y: 1, yanchor: "top", yshift: -lane * size * 1.25, xanchor: "center", showarrow: false,
        text: `<b>${escaped(moment.text)}</b>`, font: { size, color: soft }, bgcolor: ground.paper, borderpad: 0 };
    });
  };

  const heightOf = (meta, width) => {
    if (meta.rows !== undefined) return Math.round((meta.row * (narrowed(meta, width) ? 1.35 : 1) * meta.rows + 74) * (fontSize() / 12.5));
    return Math.round(Math.min(Math.max(width * meta.aspect, 380), 720));
  };

  // Names are put beside their marks where there is room, the more important first; the rest show on hover and in
  // the table. Positions are tried right, left, above, below, then at the corners.
  const placeLabels = (holder, meta, ink, soft, ground) => {
    const layout = holder._fullLayout;
    const { xaxis, yaxis } = layout;
    const size = fontSize();
    const box = { left: xaxis._offset, right: xaxis._offset + xaxis._length + 10, top: yaxis._offset - 6, bottom: yaxis._offset + yaxis._length };
    const px = (x) => xaxis._offset + xaxis.d2p(x);
    const py = (y) => yaxis._offset + yaxis.d2p(y);
    const around = (x, y, radius) => ({ left: x - radius, right: x + radius, top: y - radius, bottom: y + radius });
    const marks = meta.labels.map((label) => ({ ...label, px: px(label.x), py: py(label.y) }));
    const discs = meta.obstacles.map(([x, y, , , , , radius]) => ({ ...around(px(x), py(y), radius), x, y }));
    const lines = meta.obstacles.flatMap(([x, y, lowX, highX, lowY, highY]) => [
      ...(lowX === null ? [] : [{ left: px(lowX), right: px(highX), top: py(y) - 1, bottom: py(y) + 1 }]),
      ...(lowY === null ? [] : [{ left: px(x) - 1, right: px(x) + 1, top: py(highY), bottom: py(lowY) }])]);
    (meta.path ?? []).forEach(([x, y], index, all) => {
      if (!index) return;
      const [fromX, fromY] = all[index - 1];
      lines.push({ left: Math.min(px(fromX), px(x)) - 1, right: Math.max(px(fromX), px(x)) + 1, top: Math.min(py(fromY), py(y)) - 1, bottom: Math.max(py(fromY), py(y)) + 1 });
    });
    const placed = [];
    const apart = (place) => (other) => place.left >= other.right || place.right <= other.left || place.top >= other.bottom || place.bottom <= other.top;
    const inside = (place) => place.left >= box.left && place.right <= box.right && place.top >= box.top && place.bottom <= box.bottom;
    const notes = [];
    const attempt = (mark, strict) => {
      ruler.font = `${mark.strong ? 700 : 400} ${size}px ${layout.font.family}`;
      const width = ruler.measureText(mark.text).width + 4;
      const height = size * 1.2;
      const gap = mark.radius + 3;
      const near = gap * 0.55;
      const offsets = [[gap, -height / 2], [near, -near - height], [near, near], [-gap - width, -height / 2],
        [-near - width, -near - height], [-near - width, near], [-width / 2, -gap - height], [-width / 2, gap]];
      for (const [dx, dy] of offsets) {
        const place = { left: mark.px + dx, right: mark.px + dx + width, top: mark.py + dy, bottom: mark.py + dy + height };
        const free = apart(place);
        if (!inside(place) || !placed.every(free) || !discs.every((disc) => (disc.x === mark.x && disc.y === mark.y) || free(disc))) continue;
        if (strict && !lines.every(free)) continue;
        placed.push(place);
        notes.push({ xref: "paper", yref: "paper", x: (place.left + 2 - xaxis._offset) / xaxis._length, y: 1 - (place.top + height / 2 - yaxis._offset) / yaxis._length,
          xanchor: "left", yanchor: "middle", text: mark.strong ? `<b>${escaped(mark.text)}</b>` : escaped(mark.text), showarrow: false,
          font: { size, color: mark.strong ? ink : soft }, borderpad: 0, ...(strict ? {} : { bgcolor: ground[mark.ground] }) });
        return true;
      }
      return false;
    };
    // First where no interval line is crossed; then over lines, which the label's ground interrupts.
    marks.filter((mark) => !attempt(mark, true)).forEach((mark) => attempt(mark, false));
    return notes;
  };

  const draw = async (holder, figure) => {
    const painted = repaint(figure);
    const { meta } = painted.layout;
    const width = holder.clientWidth;
    const size = fontSize();
    const style = getComputedStyle(root);
    const ink = printing ? "#1b1e23" : style.getPropertyValue("--ink").trim();
    const soft = printing ? "#5b626b" : style.getPropertyValue("--soft").trim();
    const ground = Object.fromEntries(["paper", "band"].map((name) => [name, printing ? "#ffffff" : style.getPropertyValue(`--${name}`).trim()]));
    const yTitle = wrapped(meta.yTitle, width - 90, size);
    const title = { text: yTitle, xref: "paper", yref: "paper", x: 0, y: 1, xanchor: "left", yanchor: "bottom", yshift: 8, showarrow: false, align: "left", font: { color: soft, size } };
    const fixed = [...(painted.layout.annotations ?? []).map((note) => ({ ...note, font: { size, ...note.font } })), ...(meta.yTitle ? [title] : [])];
    const fewer = (axis) => width >= 620 || axis?.type !== "log" || !axis.tickvals ? axis
      : { ...axis, ...Object.fromEntries(["tickvals", "ticktext"].map((key) => [key, axis[key].filter((_, place) => Number.isInteger(Math.round(Math.log10(axis.tickvals[place]) * 1e6) / 1e6))])) };
    const titled = (axis) => axis && { ...axis, title: { ...axis.title, text: wrapped(axis.title?.text ?? "", width - 110, size), font: { ...axis.title?.font, size } }, tickfont: { ...axis.tickfont, size } };
    if (narrowed(meta, width)) fixed.forEach((note) => { note.text = note.text.replace(" <span", "<br><span"); });
    if (meta.narrowStrip && width < 700 && fixed.length) fixed[0] = { ...fixed[0], text: meta.narrowStrip };
    const rows = meta.rowLabels && layRows(painted, width, size, ink, soft, ground);
    if (rows) fixed.push(...rows.notes);
    const layout = { ...painted.layout, xaxis: titled(fewer(painted.layout.xaxis)), yaxis: titled(rows ? rows.yaxis : painted.layout.yaxis), width, annotations: fixed,
      height: rows ? Math.round(rows.tall + size * 4.5) : heightOf(meta, width),
      font: { ...painted.layout.font, size, family: style.getPropertyValue("--sans").trim() },
      margin: { ...painted.layout.margin, t: painted.layout.margin.t + (yTitle.split("<br>").length - 1) * size * 1.3 },
      hoverlabel: { ...painted.layout.hoverlabel, font: { ...painted.layout.hoverlabel.font, size } } };
    await Plotly.react(holder, rows ? rows.data : painted.data, layout, { displayModeBar: false, responsive: false, scrollZoom: false });
    if (meta.labels?.length) await Plotly.relayout(holder, { annotations: [...fixed, ...placeLabels(holder, meta, ink, soft, ground)] });
    if (meta.moments?.length) await Plotly.relayout(holder, { annotations: [...fixed, ...placeMoments(holder, meta.moments, soft, ground)] });
    holder.setAttribute("aria-label", meta.alt);
  };

  const swatch = (entry) => {
    const space = "http://www.w3.org/2000/svg";
    const svg = document.createElementNS(space, "svg");
    svg.setAttribute("viewBox", "0 0 10 10");
    svg.setAttribute("aria-hidden", "true");
    const shapes = { diamond: "M5 0 10 5 5 10 0 5Z", triangle: "M0 5 9 0V10Z", ring: "M5 .8A4.2 4.2 0 1 0 5 9.2 4.2 4.2 0 1 0 5 .8Z", circle: "M5 0A5 5 0 1 0 5 10 5 5 0 1 0 5 0Z" };
    const path = document.createElementNS(space, "path");
    path.setAttribute("d", shapes[entry.shape]);
    const shade = repaint(entry.colour);
    path.setAttribute("fill", entry.shape === "ring" ? "none" : shade);
    if (entry.shape === "ring") { path.setAttribute("stroke", shade); path.setAttribute("stroke-width", "1.6"); }
    svg.append(path);
    return svg;
  };
  const fillLegend = (list, figure) => {
    list.replaceChildren(...(figure.layout.meta.legend ?? []).map((entry) => make("li", {}, swatch(entry), make("span", { textContent: entry.label }))));
  };

  // --- tables ---------------------------------------------------------------------------------------------------

  const shown = (cell) => (cell && typeof cell === "object" ? cell.shown : cell);
  const value = (cell) => (cell && typeof cell === "object" ? cell.value : cell);
  const compare = (a, b, down) => {
    const [x, y] = [value(a), value(b)];
    if (x === null || y === null) return x === y ? 0 : x === null ? 1 : -1; // not known is last, whichever way
    const order = typeof x === "number" && typeof y === "number" ? x - y : String(x).localeCompare(String(y), "en", { numeric: true });
    return down ? -order : order;
  };
  const csv = (table, rows) => {
    const quote = (cell) => {
      const bare = value(cell);
      if (bare === null || bare === undefined) return "";
      // A spreadsheet runs text that starts like a formula; names come from strangers.
      const text = typeof bare === "string" && /^[=+\-@\t\r]/.test(bare) ? `'${bare}` : String(bare);
      return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
    };
    return [table.columns.map((column) => quote(column.name)), ...rows.map((row) => row.map(quote))].map((row) => row.join(",")).join("\r\n") + "\r\n";
  };
  const save = (name, text, type) => {
    const link = make("a", { href: URL.createObjectURL(new Blob([text], { type })), download: name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 5000);
  };

  const facts = (card) => make("div", { className: "facts" }, ...card.map((fact) => {
    const block = make("div", {}, make("h4", { textContent: fact.title }));
    for (const line of fact.lines) block.append(make("p", {}, fact.code ? make("code", { textContent: line }) : line));
    if (fact.arxiv) block.append(make("p", {}, make("a", { textContent: `arXiv:${fact.arxiv}`, href: `https://arxiv.org/abs/${fact.arxiv}`, rel: "noopener noreferrer" })));
    return block;
  }));

  const drawTable = (table, key, full) => {
    const holder = make("div");
    const body = make("tbody");
    const counter = make("span", { className: "source" });
    counter.setAttribute("role", "status");
    let sortBy = null, down = false, filter = "", allowed = null;
    const visible = () => {
      const words = filter.toLocaleLowerCase("en").split(/\s+/).filter(Boolean);
      let rows = table.rows.map((row, index) => ({ row, index }));
      rows = rows.filter(({ row }) => words.every((word) => row.some((cell) => String(shown(cell) ?? "").toLocaleLowerCase("en").includes(word))));
      if (allowed) rows = rows.filter(({ row }) => value(row[allowed.column]) === allowed.value);
      if (sortBy !== null) rows.sort((a, b) => compare(a.row[sortBy], b.row[sortBy], down) || a.index - b.index);
      return rows;
    };
    const heads = table.columns.map((column, index) => {
      const head = make("th", { scope: "col", className: column.number ? "number" : "" });
      if (!full) { head.textContent = column.label; return head; }
      const button = make("button", { type: "button", textContent: column.label, title: column.title ?? "" });
      button.addEventListener("click", () => {
        down = sortBy === index ? !down : Boolean(column.number);
        sortBy = index;
        remember(`${key}.sort`, `${down ? "-" : ""}${column.name}`, "");
        refill();
      });
      head.append(button);
      return head;
    });
    const refill = () => {
      heads.forEach((head, index) => { if (index === sortBy) head.setAttribute("aria-sort", down ? "descending" : "ascending"); else head.removeAttribute("aria-sort"); });
      const rows = visible();
      counter.textContent = `${rows.length} of ${table.rows.length} rows`;
      body.replaceChildren(...rows.map(({ row, index }) => {
        const line = make("tr", {}, ...row.map((cell, place) => {
          const text = shown(cell);
          const known = text !== null && text !== undefined;
          const length = known ? String(text).length : 0;
          const kind = table.columns[place].number ? "number" : length > 40 ? "long" : length <= 14 ? "brief" : "";
          const box = make(place === 0 ? "th" : "td", { className: `${kind} ${known ? "" : "missing-value"}`.trim() });
          if (place === 0) box.scope = "row";
          if (place === 0 && table.cards) {
            const opener = make("button", { type: "button", textContent: text });
            opener.setAttribute("aria-expanded", "false");
            opener.addEventListener("click", () => toggle(line, opener, index));
            box.append(opener);
          } else box.textContent = known ? text : "\u2013";
          return box;
        }));
        return line;
      }));
    };
    const toggle = (line, opener, index) => {
      const open = opener.getAttribute("aria-expanded") === "true";
      opener.setAttribute("aria-expanded", String(!open));
      if (open) line.nextSibling.remove();
      else line.after(make("tr", { className: "card" }, make("td", { colSpan: table.columns.length }, facts(table.cards[index]))));
      remember(`${key}.card`, open ? "" : String(value(table.rows[index][0])), "");
    };
    const download = make("button", { type: "button", textContent: "Download CSV" });
    download.addEventListener("click", () => save(`${key}.csv`, csv(table, visible().map(({ row }) => row)), "text/csv"));
    if (full) {
      const search = make("input", { type: "search", value: state.get(`${key}.find`) ?? "", placeholder: "words to find" });
      filter = search.value;
      search.addEventListener("input", () => { filter = search.value; remember(`${key}.find`, filter, ""); refill(); });
      const controls = make("div", { className: "controls" }, make("label", {}, "Filter", search));
      if (table.choice !== null) {
        const values = [...new Set(table.rows.map((row) => value(row[table.choice])).filter((item) => item !== null))].sort();
        const select = make("select", {}, make("option", { value: "", textContent: "all" }), ...values.map((item) => make("option", { value: item, textContent: item })));
        select.value = values.includes(state.get(`${key}.only`)) ? state.get(`${key}.only`) : "";
        const choose = () => { allowed = select.value ? { column: table.choice, value: select.value } : null; };
        choose();
        select.addEventListener("change", () => { choose(); remember(`${key}.only`, select.value, ""); refill(); });
        controls.append(make("label", {}, table.columns[table.choice].label, select));
      }
      controls.append(download, counter);
      holder.append(controls);
      const order = state.get(`${key}.sort`);
      if (order) {
        const place = table.columns.findIndex((column) => column.name === order.replace(/^-/, ""));
        if (place >= 0) { sortBy = place; down = order.startsWith("-"); }
      }
    }
    const scroller = make("div", { className: full ? "scroll tall" : "scroll", tabIndex: 0 },
      make("table", {}, make("caption", { className: "visually-hidden", textContent: table.caption }), make("thead", {}, make("tr", {}, ...heads)), body));
    scroller.setAttribute("role", "region");
    scroller.setAttribute("aria-label", table.caption);
    holder.append(scroller);
    if (!full) holder.append(make("p", {}, download));
    refill();
    const wanted = state.get(`${key}.card`);
    if (full && table.cards && wanted) [...body.rows].find((row) => row.cells[0].textContent === wanted)?.querySelector("button").click();
    return holder;
  };

  // --- panels ---------------------------------------------------------------------------------------------------

  const sourceLine = (view) => make("p", { className: "source", textContent: view.source });
  const drawPanel = (slot) => {
    const panel = data.panels[slot.dataset.panel];
    if (!panel?.views.length) return;
    const stage = make("div");
    const options = panel.choices.map((label, place) => [...new Set(panel.views.map((view) => view.picks[place]))]);
    const picks = options.map((values) => make("select", {}, ...values.map((text) => make("option", { value: text, textContent: text }))));
    const show = (view) => {
      while (drawn.length && drawn.some((item) => item.stage === stage)) drawn.splice(drawn.findIndex((item) => item.stage === stage), 1);
      const parts = [];
      if (view.figure) {
        const legend = make("ul", { className: "legend" });
        const holder = make("div", { className: "chart" });
        holder.setAttribute("role", "img");
        const item = { stage, holder, legend, figure: view.figure, width: 0 };
        drawn.push(item);
        parts.push(legend, holder);
        if (view.notes?.length) parts.push(make("ol", { className: "events" }, ...view.notes.map((text) => make("li", { textContent: text }))));
        parts.push(sourceLine(view));
        if (view.table) parts.push(make("details", {}, make("summary", { textContent: "The numbers behind this chart" }), drawTable(view.table, view.table.key, false)));
      } else if (view.table) parts.push(drawTable(view.table, view.table.key, true), sourceLine(view));
      stage.replaceChildren(...parts);
      if (started) refresh();
    };
    // Where no view fits all choices, the one that fits `first` and most of the others, and the choices follow it.
    const chosen = (first = 0) => {
      const fit = (view) => picks.filter((pick, place) => view.picks[place] === pick.value).length + (view.picks[first] === picks[first]?.value ? picks.length : 0);
      const best = panel.views.reduce((best, view) => (fit(view) > fit(best) ? view : best));
      picks.forEach((pick, place) => { pick.value = best.picks[place]; });
      return best;
    };
    const controls = make("div", { className: "controls" });
    picks.forEach((pick, place) => {
      if (options[place].length < 2) return;
      const key = `${slot.dataset.panel}.${place}`;
      if (options[place].includes(state.get(key))) pick.value = state.get(key);
      pick.addEventListener("change", () => {
        const view = chosen(place);
        picks.forEach((other, index) => remember(`${slot.dataset.panel}.${index}`, other.value, options[index][0]));
        show(view);
      });
      controls.append(make("label", {}, panel.choices[place], pick));
    });
    if (controls.childElementCount) slot.append(controls);
    slot.append(stage);
    show(chosen());
  };
  const renew = (item, force) => {
    if (!item.holder.isConnected || (!force && item.width === item.holder.clientWidth)) return null;
    item.width = item.holder.clientWidth;
    fillLegend(item.legend, item.figure);
    return draw(item.holder, item.figure);
  };
  const refresh = (force = false) => Promise.all(drawn.map((item) => renew(item, force)));

  document.querySelectorAll("[data-panel]").forEach(drawPanel);
  let waiting = 0;
  addEventListener("resize", () => { clearTimeout(waiting); waiting = setTimeout(refresh, 120); });
  dark.addEventListener("change", () => refresh(true));
  addEventListener("hashchange", () => { if (location.hash.includes("=")) location.reload(); });
  addEventListener("beforeprint", () => { printing = true; refresh(true); });
  addEventListener("afterprint", () => { printing = false; refresh(true); });
  started = true;
  // What is in sight first; the other charts one by one, so that the page answers meanwhile.
  const begin = async () => {
    const near = drawn.filter((item) => item.holder.getBoundingClientRect().top < innerHeight * 1.5);
    await Promise.all(near.map((item) => renew(item, false)));
    root.dataset.ready = "true";
    for (const item of [...drawn]) {
      await new Promise((go) => setTimeout(go));
      await renew(item, false);
    }
    root.dataset.drawn = "true";
  };
  begin();
})();
