// Draws figures with Plotly: colours of the theme, sizes, and labels that do not collide.
(() => {
  "use strict";
  const { data, root, make, themeIsDark } = hubstats;
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
  // Names beside the rows leave a narrow chart no room: there they stand above them.
  const lifted = (layout, width) => layout.meta.rows !== undefined && width < 560 && Array.isArray(layout.yaxis.ticktext);
  const lift = (layout, size, ground) => layout.yaxis.ticktext.map((text, place) => ({ xref: "paper", x: 0, xanchor: "left", y: layout.yaxis.tickvals[place], yanchor: "bottom", yshift: 5,
    align: "left", showarrow: false, text, font: { size }, bgcolor: ground.paper, borderpad: 0 }));
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
    const ink = hubstats.printing ? "#1b1e23" : style.getPropertyValue("--ink").trim();
    const soft = hubstats.printing ? "#5b626b" : style.getPropertyValue("--soft").trim();
    const ground = Object.fromEntries(["paper", "band"].map((name) => [name, hubstats.printing ? "#ffffff" : style.getPropertyValue(`--${name}`).trim()]));
    const yTitle = wrapped(meta.yTitle, width - 90, size);
    const title = { text: yTitle, xref: "paper", yref: "paper", x: 0, y: 1, xanchor: "left", yanchor: "bottom", yshift: 8, showarrow: false, align: "left", font: { color: soft, size } };
    const fixed = [...(painted.layout.annotations ?? []).map((note) => ({ ...note, font: { size, ...note.font } })), ...(meta.yTitle ? [title] : [])];
    const fewer = (axis) => width >= 620 || axis?.type !== "log" || !axis.tickvals ? axis
      : { ...axis, ...Object.fromEntries(["tickvals", "ticktext"].map((key) => [key, axis[key].filter((_, place) => Number.isInteger(Math.round(Math.log10(axis.tickvals[place]) * 1e6) / 1e6))])) };
    const titled = (axis) => axis && { ...axis, title: { ...axis.title, text: wrapped(axis.title?.text ?? "", width - 110, size), font: { ...axis.title?.font, size } }, tickfont: { ...axis.tickfont, size } };
    if (narrowed(meta, width)) fixed.forEach((note) => { note.text = note.text.replace(" <span", "<br><span"); });
    if (meta.narrowStrip && width < 700 && fixed.length) fixed[0] = { ...fixed[0], text: meta.narrowStrip };
    const above = lifted(painted.layout, width);
    if (above) {
      fixed.push(...lift(painted.layout, size, ground));
      painted.layout.yaxis = { ...painted.layout.yaxis, visible: false, range: [painted.layout.yaxis.range[0], -0.9] };
    }
    const rows = meta.rowLabels && layRows(painted, width, size, ink, soft, ground);
    if (rows) fixed.push(...rows.notes);
    const layout = { ...painted.layout, xaxis: titled(fewer(painted.layout.xaxis)), yaxis: titled(rows ? rows.yaxis : painted.layout.yaxis), width, annotations: fixed,
      height: rows ? Math.round(rows.tall + size * 4.5) : Math.round(heightOf(meta, width) * (above ? 1.45 : 1)),
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
    const shapes = { sizes: "M2 3.5A1.5 1.5 0 1 0 2 6.5 1.5 1.5 0 1 0 2 3.5ZM7.5 2.5A2.5 2.5 0 1 0 7.5 7.5 2.5 2.5 0 1 0 7.5 2.5Z", diamond: "M5 0 10 5 5 10 0 5Z", triangle: "M0 5 9 0V10Z", ring: "M5 .8A4.2 4.2 0 1 0 5 9.2 4.2 4.2 0 1 0 5 .8Z", circle: "M5 0A5 5 0 1 0 5 10 5 5 0 1 0 5 0Z" };
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

  Object.assign(hubstats, { draw, heightOf, fillLegend, fontSize, escaped });
})();
