// Marks on a plane of two measures that the reader chooses: a figure for draw() from what charts/plane.py describes.
(() => {
  "use strict";
  const { data, escaped } = hubstats;
  const FAR = 1.3; // a cost this many times the median is named beside the picture: the rest would be squeezed
  const COLUMNS = 3; // of the strip of the unseen

  const at = (mark, key) => [...(mark.at[key] ?? []), null, null, null, null, null].slice(0, 5).map((value) => value ?? null);
  const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
  const listed = (names, most) => (names.length > most ? [...names.slice(0, most), `${names.length - most} more`] : names).join(", ");
  const rounded = (value) => (Math.abs(value) >= 100 ? value.toFixed(0) : Math.abs(value) >= 1 ? value.toFixed(1) : value.toPrecision(2)).replace("-", "\u2212");
  const percent = (part) => (part > 0.99 ? "over 99%" : `${Math.round(part * 100)}%`);

  // Marks that no other equals or beats on both axes while beating it on one.
  const frontier = (points, across, up) => {
    if (!across.better || !up.better) return [];
    const worth = (value, axis) => (axis.better === "less" ? -value : value);
    const known = points.filter(({ x, y }) => x[0] !== null && y[0] !== null).map((point) => ({ point, a: worth(point.x[0], across), b: worth(point.y[0], up) }));
    known.sort((one, other) => other.a - one.a || other.b - one.b);
    const edge = [];
    let best = -Infinity;
    let level = null;
    known.forEach((one) => {
      if (one.b > best) { edge.push(one); best = one.b; level = one; } else if (level && one.a === level.a && one.b === level.b) edge.push(one);
    });
    return edge.map(({ point }) => point).sort((one, other) => one.x[0] - other.x[0]);
  };

  const logAxis = (points, axis, strip) => {
    const seen = points.filter((point) => !point.unseen).map(({ x, y, side }) => (side === "up" ? y : x));
    const values = seen.map((range) => range[0]).filter((value) => value > 0);
    const least = values.length ? Math.log10(Math.min(...values)) : -1;
    const most = values.length ? Math.log10(Math.max(...seen.map((range) => range[2] ?? range[0]))) : 2;
    const low = least - (axis.unit === "%" ? 0.45 : 0.15);
    const high = axis.unit === "%" ? Math.min(most, 2) + 0.3 : most + 0.15;
    const start = strip ? low - 0.62 * (high - low) : low;
    const ticks = [];
    for (let power = -6; power <= 12; power += 1) [1, 3].forEach((digit) => ticks.push(Number(`${digit}e${power}`)));
    const shown = ticks.filter((tick) => low + 0.05 <= Math.log10(tick) && Math.log10(tick) <= high && (axis.unit !== "%" || tick <= 100));
    return { low, edge: (low - start) / (high - start), start, width: low - start,
      layout: { type: "log", range: [start, high], tickvals: shown, ticktext: shown.map((tick) => `${Number(tick.toPrecision(1)).toLocaleString("en")}${axis.unit === "%" ? "%" : ""}`), tickangle: 0 } };
  };

  const spread = (points, along, start, width) => {
    // Places in the strip mean nothing: columns, from top to bottom.
    const unseen = points.filter((point) => point.unseen).sort((one, other) => other.y[0] - one.y[0]);
    unseen.forEach((point, place) => { point.x = [10 ** (start + width * ((place % COLUMNS) + 0.18) / COLUMNS), null, null, null, null]; });
    const edge = 10 ** along;
    points.filter((point) => !point.unseen).forEach((point) => { [1, 3].forEach((end) => { if (point.x[end] !== null) point.x[end] = Math.max(point.x[end], edge); }); });
  };

  const segments = (points, ends, upright) => {
    const [along, beside] = [[], []];
    points.forEach((point) => {
      const range = upright ? point.y : point.x;
      const [low, high] = [range[ends], range[ends + 1]];
      if (low === null || high === null) return;
      along.push(low, high, null);
      const other = (upright ? point.x : point.y)[0];
      beside.push(other, other, null);
    });
    return upright ? { x: beside, y: along } : { x: along, y: beside };
  };

  const LARGEST = 17; // pixels across, of the mark with the most memory

  // The figure, and sentences on what is not in the picture.
  const planeFigure = (plane, across, up, limit = null) => {
    const strip = Boolean(plane.strip) && across.log;
    const all = plane.marks
      .map((mark) => ({ own: false, emphasis: false, strong: false, unseen: false, id: null, run: null, chance: {}, ...mark, x: at(mark, across.key), y: at(mark, up.key), unseen: Boolean(mark.unseen) && strip }))
      .filter((point) => point.y[0] !== null && (point.unseen || point.x[0] !== null));
    const edge = plane.path ? frontier(all, across, up) : [];
    const on = new Set(edge);
    const apart = { below: [], far: [] };
    const bound = (axis, key) => (plane.path && axis.better === "less" && !axis.log ? FAR * median(all.map((point) => point[key][0])) : Infinity);
    const [mostX, mostY] = [bound(across, "x"), bound(up, "y")];
    const points = all.filter((point) => {
      const kind = (up.floor !== null && point.y[0] < up.floor) || (across.floor !== null && point.x[0] < across.floor) ? "below"
        : !on.has(point) && (point.x[0] > mostX || point.y[0] > mostY) ? "far" : null;
      if (kind) apart[kind].push(point);
      return !kind;
    });
    const sizes = plane.path ? [] : points.map(({ size }) => size).filter((size) => size !== null);
    const most = Math.max(...sizes, 1);
    const diameter = (size) => (plane.path ? 10.4 : size === null ? 9 : Math.max(5, LARGEST * Math.sqrt(size / most)));
    const axisX = across.log ? logAxis(points, across, strip && points.some((point) => point.unseen)) : null;
    if (axisX && strip) spread(points, axisX.low, axisX.start, axisX.width);
    const over = (point) => limit !== null && point.x[0] > limit;
    // Chances are kept by the cost beside the score, or by both costs in the order of their names.
    const pair = [across.key, up.key].filter((key) => key !== "score").sort().join("+");
    const known = plane.path && all.some((point) => point.chance[pair] !== undefined);
    const chanceWords = (point) => {
      if (!known) return "";
      const chance = point.chance[pair];
      return `<br>would be on the frontier in ${chance === undefined || chance < 0.05 ? "under 5%" : percent(chance)} of repetitions`;
    };
    const hover = (point) => `${point.hover}${on.has(point) ? "<br><b>on the frontier</b>" : ""}${chanceWords(point)}`;

    const groups = new Map();
    points.forEach((point) => {
      const token = point.emphasis ? "ink" : point.family;
      const key = `${token}/${point.own}`;
      if (!groups.has(key)) groups.set(key, { token, own: point.own, members: [] });
      groups.get(key).members.push(point);
    });
    const ordered = [...groups.values()].sort((one, other) => (one.token === "ink") - (other.token === "ink"));
    const traces = [];
    if (edge.length && plane.path) {
      traces.push({ type: "scatter", x: edge.map(({ x }) => x[0]), y: edge.map(({ y }) => y[0]), mode: "lines", hoverinfo: "skip",
        line: { color: data.tokens.ink, width: 1.5, shape: across.better === "less" ? "hv" : "vh" } });
    }
    // Many intervals over one another hide each other and the marks: the more, the fainter.
    const faint = plane.path ? 1 : Math.min(1, Math.sqrt(24 / Math.max(points.length, 1)));
    ordered.forEach(({ token, members }) => {
      const upright = plane.path ? members.filter((point) => on.has(point)) : members;
      [[3, 1, 0.35 * faint ** 2], [1, 2, 0.55 * faint]].forEach(([ends, width, opacity]) => {
        [segments(members, ends, false), segments(upright, ends, true)].forEach((line) => {
          if (line.x.length) traces.push({ type: "scatter", ...line, mode: "lines", line: { color: data.tokens[token], width }, opacity, hoverinfo: "skip" });
        });
      });
    });
    ordered.forEach(({ token, own, members }) => traces.push({
      type: "scatter", mode: "markers", name: token, x: members.map(({ x }) => x[0]), y: members.map(({ y }) => y[0]),
      customdata: members.map(hover), meta: { ids: members.map(({ id, run }) => [id, run].filter(Boolean)) }, hovertemplate: "%{customdata}<extra></extra>",
      marker: { size: members.map((point) => (plane.path && !on.has(point) ? 6 : diameter(point.size))),
        symbol: members.map(({ size }) => (own ? "diamond" : "circle") + (size === null ? "-open" : "")), color: data.tokens[token],
        opacity: members.map((point) => (over(point) ? 0.2 : 0.92)), line: { color: data.tokens.paper, width: 1.2 } } }));

    const best = new Map();
    points.forEach((point) => {
      const other = best.get(point.key);
      const better = !other || (up.better === "less" ? point.y[0] < other.y[0] : point.y[0] > other.y[0]);
      if (better) best.set(point.key, point);
    });
    const withChance = (point) => (on.has(point) && point.chance[pair] !== undefined ? `${point.name} \u00b7 ${percent(point.chance[pair])}` : point.name);
    const radius = (point) => (plane.path ? (on.has(point) ? 5.2 : 3) : diameter(point.size) / 2);
    const labels = points.filter((point) => !plane.path || on.has(point) || best.get(point.key) === point)
      .map((point) => ({ x: point.x[0], y: point.y[0], text: withChance(point), radius: radius(point), rank: point.rank + (on.has(point) ? 100 : 0),
        strong: point.emphasis || point.strong || on.has(point), first: point.emphasis, ground: point.unseen ? "band" : "paper" }))
      .filter((label, place, all) => all.findIndex((other) => other.text === label.text && other.x === label.x && other.y === label.y) === place)
      .sort((one, other) => other.first - one.first || other.rank - one.rank || one.text.localeCompare(other.text));
    const path = [];
    edge.forEach(({ x, y }, place) => {
      if (place && across.better === "less") path.push([x[0], edge[place - 1].y[0]]);
      if (place && across.better !== "less") path.push([edge[place - 1].x[0], y[0]]);
      path.push([x[0], y[0]]);
    });
    const shapes = [];
    const notes = [];
    if (up.zero_line) shapes.push({ type: "line", xref: "paper", x0: 0, x1: 1, y0: 0, y1: 0, layer: "below", line: { color: data.tokens.soft, width: 1 } });
    if (limit !== null) shapes.push({ type: "line", yref: "paper", x0: limit, x1: limit, y0: 0, y1: 1, line: { color: data.tokens.ink, width: 1, dash: "dash" } });
    const meta = { aspect: 0.62, labels, path, yTitle: escaped(up.title), alt: plane.alt,
      obstacles: points.map((point) => [point.x[0], point.y[0], point.x[1], point.x[2], ...(plane.path && !on.has(point) ? [null, null] : [point.y[1], point.y[2]]), radius(point)]) };
    if (axisX && points.some((point) => point.unseen)) {
      shapes.push({ type: "rect", xref: "paper", yref: "paper", x0: 0, x1: axisX.edge, y0: 0, y1: 1, layer: "below", fillcolor: data.tokens.band, line: { width: 0 } });
      notes.push({ text: escaped(plane.strip), xref: "paper", yref: "paper", x: axisX.edge / 2, y: 0, showarrow: false, xanchor: "center", yanchor: "top", yshift: -5, font: { color: data.tokens.soft } });
      meta.narrowStrip = "seen nowhere";
    }
    meta.legend = points.some(({ emphasis }) => emphasis) ? [{ label: "plain LoRA", colour: data.tokens.ink, shape: "circle" }] : [];
    meta.legend.push(...Object.entries(data.tokens).filter(([token]) => token !== "ink" && ordered.some((group) => group.token === token)).map(([label, colour]) => ({ label, colour, shape: "circle" })));
    const own = points.filter((point) => point.own).length;
    if (own && own < points.length) meta.legend.push({ label: "published run", colour: data.tokens.soft, shape: "circle" });
    if (own) meta.legend.push({ label: "our own run", colour: data.tokens.soft, shape: "diamond" });
    if (sizes.length) {
      const [least, most] = [Math.min(...sizes), Math.max(...sizes)].map((size) => rounded(size / 1e9));
      meta.legend.push({ label: `area: peak memory, ${least} to ${most} GB`, colour: data.tokens.soft, shape: "sizes" });
    }
    const rangeOf = (key, axis) => {
      const ends = points.flatMap((point) => (plane.path && !on.has(point) ? [point[key][0]] : point[key].slice(0, 3))).filter((end) => end !== null);
      if (key === "x" && limit !== null) ends.push(limit);
      if (!ends.length) return null;
      const low = Math.max(Math.min(...ends), axis.floor ?? -Infinity);
      const high = Math.max(...ends);
      const room = (high - low) * 0.05 || 1;
      return [low - room, high + room];
    };
    const axisOf = (axis, key) => {
      const frame = { zeroline: false, gridcolor: data.tokens.line, linecolor: data.tokens.soft, tickfont: { color: data.tokens.soft }, fixedrange: true, automargin: true };
      if (!axis.log) return { ...frame, range: rangeOf(key, axis) ?? undefined };
      return { ...frame, ...(key === "x" ? axisX.layout : logAxis(points.map((point) => ({ ...point, side: "up" })), axis, false).layout) };
    };
    const says = [];
    let fits = null;
    const named = (found) => listed(found.map((point) => `${point.name} (${rounded(point.y[0])}, ${rounded(point.x[0])})`), 6);
    if (apart.below.length) says.push(`Below the picture: ${plane.path ? `${apart.below.length} of ${all.length}` : listed(apart.below.map((point) => `${point.name} ${rounded(point.y[0])}`), 8)}.`);
    if (apart.far.length) says.push(`Outside the picture (up, across): ${named(apart.far)}.`);
    if (limit !== null) {
      const within = all.filter((point) => point.x[0] !== null && !over(point));
      const top = within.reduce((one, other) => (!one || (up.better === "less" ? other.y[0] < one.y[0] : other.y[0] > one.y[0]) ? other : one), null);
      fits = (top ? `${within.length} of ${all.length} are within ${limit} ${across.unit}; by ${up.label} the first is ${top.name} (${rounded(top.y[0])} at ${rounded(top.x[0])} ${across.unit}).`
        : `None of ${all.length} is within ${limit} ${across.unit}; the least is ${rounded(Math.min(...all.map((point) => point.x[0])))} ${across.unit}.`);
    }
    if (labels.some((label) => label.text.includes("\u00b7"))) says.push("Percentages: how often the run would be on the line if all runs were made again.");
    if (plane.path && !known) says.push("How surely each run is on this frontier is not known: nothing of the two was measured again.");
    const layout = { paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", font: { color: data.tokens.ink }, showlegend: false, hovermode: "closest", dragmode: false,
      hoverlabel: { bgcolor: data.tokens.paper, bordercolor: data.tokens.soft, font: { color: data.tokens.ink }, align: "left" },
      margin: { l: 8, r: 14, t: 34, b: 8, pad: 2 }, shapes, annotations: notes, meta,
      xaxis: { ...axisOf(across, "x"), title: { text: escaped(across.title), font: { color: data.tokens.soft } } }, yaxis: { ...axisOf(up, "y"), ticksuffix: " " } };
    return { figure: { data: traces, layout }, says, fits };
  };

  Object.assign(hubstats, { planeFigure });
})();
