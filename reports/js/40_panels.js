// Panels: the controls that choose what is shown, the chart with its legend, source and numbers.
(() => {
  "use strict";
  const { data, state, make, remember, drawn, sourceLine, drawTable, planeFigure, announce } = hubstats;

  const select = (label, options, chosen, change) => {
    const box = make("select", {}, ...options.map(([value, textContent]) => make("option", { value, textContent })));
    if (options.some(([value]) => value === chosen)) box.value = chosen;
    box.addEventListener("change", () => change(box.value));
    return make("label", {}, make("span", { textContent: label }), box);
  };

  const chart = (stage, figure, source) => {
    const legend = make("ul", { className: "legend" });
    const holder = make("div", { className: "chart" });
    holder.setAttribute("role", "img");
    holder.setAttribute("aria-label", figure.layout.meta.alt);
    const item = { stage, holder, legend, figure, source, width: 0 };
    drawn.push(item);
    return { item, parts: [legend, holder] };
  };

  const numbers = (table) => {
    const box = make("details", {}, make("summary", { textContent: "The numbers behind this chart" }));
    box.addEventListener("toggle", () => { if (box.open && box.childElementCount === 1) box.append(drawTable(table, table.key)); });
    return box;
  };

  // A plane with its own choice of measures; they are kept while the view changes.
  const planeParts = (key, view, controls) => {
    const { plane } = view;
    const body = make("div", { className: "stage" });
    const axis = (axes, name) => axes.find((one) => one.key === state.get(`${key}.${name}`)) ?? axes[0];
    const show = () => {
      hubstats.forget(body);
      const across = axis(plane.across, "across");
      const others = plane.up.filter((one) => one.key !== across.key);
      const up = axis(others, "up");
      const typed = Number.parseFloat(state.get(`${key}.limit`) ?? "");
      const limit = across.key === plane.limit && Number.isFinite(typed) && typed > 0 ? typed : null;
      const { figure, says, fits } = planeFigure(plane, across, up, limit);
      const { parts } = chart(body, figure, view.source);
      body.replaceChildren(...(fits ? [make("p", { className: "lead fits", textContent: fits })] : []), ...parts, ...(says.length ? [make("p", { className: "apart", textContent: says.join(" ") })] : []));
      if (fits) announce(fits);
      hubstats.refresh();
    };
    const fill = () => {
      const across = axis(plane.across, "across");
      const others = plane.up.filter((one) => one.key !== across.key);
      const change = (name, usual) => (value) => { remember(`${key}.${name}`, value, usual); fill(); show(); };
      const boxes = [];
      if (others.length > 1) boxes.push(select("Up", others.map((one) => [one.key, one.label]), axis(others, "up").key, change("up", plane.up[0].key)));
      if (plane.across.length > 1) boxes.push(select("Across", plane.across.map((one) => [one.key, one.label]), across.key, change("across", plane.across[0].key)));
      if (plane.limit && across.key === plane.limit) {
        const input = make("input", { type: "number", min: "0", step: "any", inputMode: "decimal", value: state.get(`${key}.limit`) ?? "" });
        input.addEventListener("input", () => { remember(`${key}.limit`, input.value, ""); show(); });
        boxes.push(make("label", {}, make("span", { textContent: `At most, ${across.unit}` }), input));
      }
      controls.replaceChildren(...boxes);
    };
    fill();
    show();
    return [body];
  };

  const standard = (slot, panel) => {
    if (!panel.views.length) return;
    const { key } = panel;
    const stage = make("div");
    const own = make("div", { className: "own" });
    const measures = make("div", { className: "own" });
    const controls = make("div", { className: "controls" }, own, measures);
    const options = panel.choices.map((label, place) => [...new Map(panel.views.map((view) => [view.keys[place], view.picks[place]]))]);
    const picks = options.map((values, place) => {
      const asked = state.get(`${key}.${panel.controls[place]}`);
      return values.some(([value]) => value === asked) ? asked : values[0]?.[0];
    });
    const show = (view) => {
      hubstats.forget(stage);
      const parts = [];
      if (view.plane) parts.push(...planeParts(key, view, measures));
      if (view.figure) {
        parts.push(...chart(stage, view.figure, view.source).parts);
        if (view.notes?.length) parts.push(make("ol", { className: "events" }, ...view.notes.map((text) => make("li", { textContent: text }))));
      }
      if (view.figure || view.plane) {
        parts.push(sourceLine(view.source));
        if (view.table) parts.push(numbers(view.table));
      } else if (view.table) parts.push(drawTable(view.table, view.table.key), sourceLine(view.source));
      stage.replaceChildren(...parts);
      hubstats.refresh();
    };
    // Where no view fits all choices, the one that fits `first` and most of the others, and the choices follow it.
    const chosen = (first = 0) => {
      const fit = (view) => picks.filter((pick, place) => view.keys[place] === pick).length + (view.keys[first] === picks[first] ? picks.length : 0);
      const best = panel.views.reduce((one, other) => (fit(other) > fit(one) ? other : one));
      best.keys.forEach((value, place) => { picks[place] = value; });
      return best;
    };
    const fill = () => own.replaceChildren(...panel.choices.flatMap((label, place) => (options[place].length < 2 ? [] : [
      select(label, options[place], picks[place], (value) => {
        picks[place] = value;
        const view = chosen(place);
        panel.controls.forEach((name, index) => remember(`${key}.${name}`, picks[index], options[index][0][0]));
        [...own.querySelectorAll("select")].forEach((box, index) => { box.value = picks[places[index]]; });
        show(view);
      })])));
    const places = panel.choices.map((_, place) => place).filter((place) => options[place].length > 1);
    const view = chosen();
    fill();
    slot.append(controls, stage);
    show(view);
    if (!own.childElementCount && !measures.childElementCount) controls.remove();
  };

  hubstats.drawPanel = (slot) => {
    const panel = data.panels[slot.dataset.panel];
    if (!panel) return;
    slot.replaceChildren();
    (hubstats.panels[slot.dataset.panel] ?? standard)(slot, panel);
  };
  Object.assign(hubstats, { standard, select });
})();
