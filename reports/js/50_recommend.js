// What `hubstats recommend` answers, from the same rows and by the same rules: hubstats/recommend/ranking.py.
(() => {
  "use strict";
  const { data, state, make, remember, announce, sourceButton, sourceLine } = hubstats;
  const LONG = 8; // rows shown before the rest is asked for

  const gigabytes = (size) => `${(size / 1e9).toFixed(1)} GB`;
  const minutes = (seconds) => (seconds >= 60 ? `${(seconds / 60).toFixed(0)} min` : `${seconds.toFixed(0)} s`);
  const known = (value) => value !== null && value !== undefined;
  const byText = (a, b) => (a < b ? -1 : a > b ? 1 : 0);

  const needsOf = (technique, needs) => {
    const found = { cannot: [], can: [], unknown: [] };
    needs.forEach((need) => {
      const name = hubstats.capabilityName(need);
      const answer = hubstats.capabilityOf(technique, need);
      if (!answer) found.unknown.push(`${name}: not asked of this technique`);
      else if (answer[0] === null) found.unknown.push(`${name}: ${answer[2]}`);
      else if (answer[0]) found.can.push(`${name}: yes (${answer[1]}: ${answer[2]})`);
      else found.cannot.push(`${name}: no (${answer[1]}: ${answer[2]})`);
    });
    return found;
  };
  const over = (row, asked) => {
    const said = [];
    if (known(asked.max_memory) && known(row.peak_memory) && row.peak_memory > asked.max_memory) said.push(`needed ${gigabytes(row.peak_memory)}, over ${gigabytes(asked.max_memory)}`);
    if (known(asked.max_time) && known(row.train_time) && row.train_time > asked.max_time) said.push(`took ${minutes(row.train_time)}, over ${minutes(asked.max_time)}`);
    return said;
  };
  const unmeasured = (row, asked) => {
    const said = [];
    if (known(asked.max_memory) && !known(row.peak_memory)) said.push("memory: not measured");
    if (known(asked.max_time) && !known(row.train_time)) said.push("training time: not measured");
    return said;
  };
  const excess = (memory, time, asked) => Math.max(0, ...[[memory, asked.max_memory], [time, asked.max_time]].filter(([value, limit]) => known(value) && known(limit)).map(([value, limit]) => value / limit));
  const first = (rows, worse) => rows.reduce((one, other) => (worse(one, other) ? other : one));

  const lead = (other, row) => {
    const ahead = other.score - row.score;
    if (ahead <= 0) return 0;
    const spread = Math.sqrt(other.variance + row.variance);
    return spread > 0 ? ahead / spread : Infinity;
  };
  const ranked = (fits, limit) => {
    if (!fits.length) return [];
    const best = Math.max(...fits.map(({ row }) => row.score));
    const made = fits.map(({ row, choice }) => ({ ...choice, behind: best - row.score,
      place: !known(limit) ? "unknown" : Math.max(...fits.map((other) => lead(other.row, row))) <= limit ? "level" : "behind" }));
    const value = (one) => (known(one) ? one : Infinity);
    return made.sort((one, other) => {
      const [a, b] = [one.place === "level" ? 0 : 1, other.place === "level" ? 0 : 1];
      if (a !== b) return a - b;
      if (a === 0 && value(one.memory) !== value(other.memory)) return value(one.memory) - value(other.memory);
      if (a === 0 && (one.time || Infinity) !== (other.time || Infinity)) return (one.time || Infinity) - (other.time || Infinity);
      return other.score - one.score || byText(one.technique, other.technique);
    });
  };
  const choiceOf = (row, settings, can, unknown) => ({ technique: row.technique, name: row.name, family: row.family, place: "unknown", score: row.score, low: row.low, high: row.high, behind: 0,
    memory: row.peak_memory, time: row.train_time, total_time: row.total_time, size: row.checkpoint_size, hardware: row.accelerator, experiment: row.experiment, learning_rate: row.learning_rate,
    settings, explain: row.explain, run_on: row.run_on, can, unknown });

  const contestOf = (contest, asked, extra) => {
    const techniques = new Map(contest.rows.map(({ technique }) => [technique, []]));
    contest.rows.forEach((row) => techniques.get(row.technique).push(row));
    const [fits, perhaps, excluded, able] = [[], [], [], new Set()];
    techniques.forEach((rows, technique) => {
      const { cannot, can, unknown } = needsOf(technique, asked.needs);
      const within = rows.filter((row) => !over(row, asked).length);
      if (!cannot.length) able.add(technique);
      if (cannot.length || !within.length) {
        const row = within.length ? first(rows, (one, other) => other.score > one.score)
          : first(rows, (one, other) => excess(other.peak_memory, other.train_time, asked) < excess(one.peak_memory, one.train_time, asked));
        excluded.push({ technique, name: row.name, reasons: within.length ? cannot : [...cannot, ...over(row, asked)], score: row.score, memory: row.peak_memory, time: row.train_time });
        return;
      }
      const sure = within.filter((row) => !unmeasured(row, asked).length);
      const row = first(sure.length ? sure : within, (one, other) => other.score > one.score);
      const missing = [...unknown, ...unmeasured(row, asked)];
      const choice = choiceOf(row, contest.settings[technique], can, missing);
      if (missing.length) perhaps.push(choice); else fits.push({ row, choice });
    });
    const list = ranked(fits, fits.length ? contest.criticals[fits.length - 1] : null);
    const best = list.length ? Math.max(...list.map((one) => one.score)) : null;
    const maybe = perhaps.map((one) => (best === null ? one : { ...one, behind: best - one.score })).sort((one, other) => other.score - one.score || byText(one.technique, other.technique));
    excluded.sort((one, other) => other.score - one.score || byText(one.technique, other.technique));
    const nearest = [];
    excluded.filter((one) => able.has(one.technique))
      .sort((one, other) => excess(one.memory, one.time, asked) - excess(other.memory, other.time, asked) || other.score - one.score || byText(one.technique, other.technique))
      .forEach((one) => { if (!nearest.length || one.score > nearest.at(-1).score) nearest.push(one); });
    const notes = [];
    if (list.some((one) => one.place === "unknown")) notes.push(extra.notes.unsure);
    if (known(asked.max_memory) || known(asked.max_time)) notes.push(extra.notes.these);
    return { origin: contest.origin, task: contest.task, model: contest.model, metric: contest.metric, hardware: contest.hardware, settings: contest.total, newest: contest.newest,
      fits: list, perhaps: maybe, excluded, nearest: list.length || maybe.length ? [] : nearest.slice(0, extra.nearest), notes };
  };

  // asked: {max_memory, max_time, needs, task}, in bytes and seconds. The same as `hubstats recommend --json` prints.
  const recommend = (extra, asked) => {
    const wanted = asked.task === null ? null : new Set(extra.kinds[asked.task] ?? [asked.task]);
    const notes = [];
    if (!extra.contests.length) notes.push(extra.notes.runs);
    if (asked.needs.length && !extra.library) notes.push(extra.notes.capabilities);
    return { asked, contests: extra.contests.filter((one) => wanted === null || wanted.has(one.task)).map((one) => contestOf(one, asked, extra)),
      library: extra.library?.name ?? null, asked_on: extra.library?.asked_on ?? null, notes };
  };

  // --- the panel ------------------------------------------------------------------------------------------------------

  const scoreWords = (value, metric) => (metric === "test_accuracy" ? `${(value * 100).toFixed(1)}%` : value.toFixed(3));
  const sized = (bytes) => (bytes >= 1e7 ? `${Math.round(bytes / 1e6).toLocaleString("en")} MB` : `${(bytes / 1e6).toFixed(1)} MB`);
  const counted = (number, noun) => `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;
  const kind = (reason) => (reason.startsWith("needed ") ? "memory" : reason.startsWith("took ") ? "time" : reason.split(":")[0].toLowerCase());

  const tableOf = (caption, heads, lines, label) => {
    const body = make("tbody", {}, ...lines);
    const box = make("div", { className: "scroll", tabIndex: 0 }, make("table", {}, make("caption", { className: "visually-hidden", textContent: caption }),
      make("thead", {}, make("tr", {}, ...heads.map(([text, number]) => make("th", { scope: "col", className: number ? "number" : "", textContent: text })))), body));
    box.setAttribute("role", "region");
    box.setAttribute("aria-label", label ?? caption);
    return box;
  };
  const cell = (text, className = "") => make("td", { className: known(text) ? className : `${className} missing-value`.trim(), textContent: known(text) ? text : "\u2013" });
  const lineOf = (choice, contest, source, unknown) => {
    const open = make("a", { href: `#at=techniques&techniques.card=${encodeURIComponent(choice.name)}`, textContent: choice.name });
    const score = make("td", { className: "number" }, sourceButton(scoreWords(choice.score, contest.metric), { id: choice.explain, source,
      says: [`${choice.name}: ${scoreWords(choice.score, contest.metric)} on ${contest.task}`, choice.experiment, `run on ${choice.run_on}`, ...choice.can] }));
    const spread = known(choice.low) ? `${scoreWords(choice.low, contest.metric).replace("%", "")}\u2013${scoreWords(choice.high, contest.metric)}` : null;
    const place = { level: "level", behind: `\u2212${(choice.behind * 100).toFixed(1)}`, unknown: "not known" }[choice.place];
    return make("tr", { className: choice.place === "level" ? "level" : "" }, make("th", { scope: "row" }, open), score,
      ...(unknown ? [] : [cell(place, "number")]),
      cell(known(choice.memory) ? gigabytes(choice.memory) : null, "number"), cell(known(choice.time) ? minutes(choice.time) : null, "number"), cell(spread, "number"),
      cell(known(choice.total_time) ? minutes(choice.total_time) : null, "number"), cell(known(choice.size) ? sized(choice.size) : null, "number"),
      cell(known(choice.learning_rate) ? String(choice.learning_rate) : null, "number"), cell(String(choice.settings), "number"),
      ...(unknown ? [cell(choice.unknown.join("; "), "long")] : []));
  };
  const heads = (unknown) => [["Technique"], ["Score", true], ...(unknown ? [] : [["Against the best", true]]), ["Peak memory", true], ["Training", true], ["95% interval", true], ["Whole run", true], ["Checkpoint", true], ["Learning rate", true], ["Settings run", true], ...(unknown ? [["What is not known"]] : [])];

  const listed = (choices, contest, source, caption, unknown) => {
    if (!choices.length) return [];
    const box = make("div");
    const fill = (all) => box.replaceChildren(tableOf(caption, heads(unknown), (all ? choices : choices.slice(0, LONG)).map((one) => lineOf(one, contest, source, unknown))),
      ...(all || choices.length <= LONG ? [] : [more(() => fill(true))]));
    const more = (go) => {
      const button = make("button", { type: "button", className: "quiet", textContent: `Show all ${choices.length}` });
      button.addEventListener("click", () => { go(); box.querySelector(".scroll").focus(); });
      return make("p", {}, button);
    };
    fill(false);
    return [box];
  };
  const reasonList = (items, contest) => make("ul", { className: "reasons" }, ...items.map((one) => make("li", {}, make("strong", { textContent: one.name }), ` ${scoreWords(one.score, contest.metric)}: ${one.reasons.join("; ")}`)));

  const contestParts = (contest, about, source) => {
    const total = contest.fits.length + contest.perhaps.length + contest.excluded.length;
    const level = contest.fits.filter((one) => one.place === "level");
    const where = [contest.model, `${contest.origin === "own" ? "our own runs" : `published runs (${about.origin_words})`}`, contest.hardware.join(", "), contest.newest ? `up to ${contest.newest}` : null].filter(Boolean).join(", ");
    const reasons = new Map();
    contest.excluded.forEach((one) => one.reasons.forEach((reason) => reasons.set(kind(reason), (reasons.get(kind(reason)) ?? 0) + 1)));
    const why = [...reasons].map(([name, number]) => `${number} by ${name}`).join(", ");
    const says = contest.fits.length
      ? `${contest.fits.length} of ${counted(total, "technique")} fit${level.length ? `; ${level.length === 1 ? "one is ahead of all others" : `${level.length} of them cannot be told from the best, the least memory first`}` : ""}.`
      : contest.perhaps.length ? `Of ${counted(total, "technique")} none is known to fit, ${contest.perhaps.length} may.` : `None of ${counted(total, "technique")} was measured within that.`;
    const parts = [make("h3", { textContent: `${contest.task}` }), make("p", { className: "where", textContent: where }), make("p", { className: "lead", textContent: says })];
    parts.push(...listed(contest.fits, contest, source, `What fits, by runs on ${contest.task}`, false));
    if (contest.nearest.length) parts.push(make("p", { className: "apart", textContent: "Nearest to what was asked, and what a better score takes:" }), reasonList(contest.nearest, contest));
    if (contest.perhaps.length) {
      const box = make("details", {}, make("summary", { textContent: `${contest.perhaps.length} more may fit: something of what was asked is not known` }));
      box.append(...listed(contest.perhaps, contest, source, `What may fit, by runs on ${contest.task}`, true));
      parts.push(box);
    }
    if (contest.excluded.length) {
      parts.push(make("details", {}, make("summary", { textContent: `${contest.excluded.length} left out: ${why}` }), reasonList(contest.excluded, contest)));
    }
    parts.push(...contest.notes.map((text) => make("p", { className: "apart", textContent: text })));
    return parts;
  };

  const commandOf = (asked) => {
    const words = ["hubstats recommend"];
    if (known(asked.max_memory)) words.push(`--max-memory ${Number((asked.max_memory / 1e9).toPrecision(12))}GB`);
    if (known(asked.max_time)) words.push(`--max-time ${Number((asked.max_time / 60).toPrecision(12))}min`);
    if (asked.needs.length) words.push(`--need ${asked.needs.join(",")}`);
    if (asked.task !== null) words.push(`--task ${hubstats.quoted(asked.task)}`);
    return [...words, `--db ${hubstats.quoted(data.file)}`].join(" ");
  };

  hubstats.panels.recommend = (slot, panel) => {
    const { extra } = panel;
    if (!extra.contests) return;
    const source = panel.views[0].source;
    const result = make("div", { className: "advice" });
    const number = (name) => { const typed = Number.parseFloat(state.get(`recommend.${name}`) ?? ""); return Number.isFinite(typed) && typed > 0 ? typed : null; };
    const chosen = hubstats.chosenCapabilities(state.get("recommend.need"));
    const tasks = [...Object.keys(extra.kinds).filter((key) => extra.kinds[key].length > 1), ...new Set(extra.contests.map((one) => one.task))];
    const show = (spoken) => {
      const [memory, time] = [number("memory"), number("time")];
      const task = state.get("recommend.task");
      const asked = { max_memory: memory === null ? null : memory * 1e9, max_time: time === null ? null : time * 60, needs: [...chosen].length ? data.capabilities.list.map(({ key }) => key).filter((key) => chosen.has(key)) : [],
        task: tasks.includes(task) ? task : null };
      const advice = recommend(extra, asked);
      result.replaceChildren(...advice.contests.flatMap((contest) => contestParts(contest, extra.contests.find((one) => one.origin === contest.origin), source)),
        ...advice.notes.map((text) => make("p", { className: "apart", textContent: text })), hubstats.commandLine(commandOf(asked)));
      if (spoken) announce(advice.contests.map((contest) => `${contest.task}: ${contest.fits.length} fit`).join(". "));
    };
    const numberBox = (name, text, step) => {
      const input = make("input", { type: "number", min: "0", step, inputMode: "decimal", value: state.get(`recommend.${name}`) ?? "", placeholder: "any" });
      input.addEventListener("input", () => { remember(`recommend.${name}`, input.value, ""); show(true); });
      return make("label", {}, make("span", { textContent: text }), input);
    };
    const controls = make("div", { className: "controls" }, numberBox("memory", "Peak memory at most, GB", "any"), numberBox("time", "Training at most, minutes", "any"),
      hubstats.select("Benchmark", [["", "all"], ...tasks.map((task) => [task, task])], state.get("recommend.task") ?? "", (value) => { remember("recommend.task", value, ""); show(true); }));
    const boxes = hubstats.capabilityBoxes("It must be able to", chosen, (keys) => { remember("recommend.need", keys.join(","), ""); show(true); });
    slot.append(controls, boxes, result, sourceLine(source));
    show(false);
  };
  Object.assign(hubstats, { recommend });
})();
