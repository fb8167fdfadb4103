// Tables: sorted, filtered, downloaded as they are shown, with a card for a row where there is one.
(() => {
  "use strict";
  const { state, make, remember, sourceButton } = hubstats;
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
      const text = typeof bare === "string" && /^[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]/.test(bare) && !/^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(bare) ? `'${bare}` : String(bare);
      return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
    };
    return [table.columns.map((column) => quote(column.name)), ...rows.map((row) => row.map(quote))].map((row) => row.join(",")).join("\r\n") + "\r\n";
  };
  const save = (name, text, type) => {
    const link = make("a", { href: URL.createObjectURL(new Blob([text], { type })), download: name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 5000);
  };

  const fact = (block) => {
    const box = make("div", { className: block.code ? "wide" : "" }, make("h3", { textContent: block.title }));
    for (const line of block.lines) {
      if (block.code) box.append(make("pre", { tabIndex: 0 }, make("code", { textContent: line })), hubstats.copyButton(line));
      else if (line && typeof line === "object") box.append(make("p", {}, sourceButton(line.text, { id: line.id })));
      else box.append(make("p", { textContent: line }));
    }
    if (block.arxiv) box.append(make("p", {}, make("a", { textContent: `arXiv:${block.arxiv}`, href: `https://arxiv.org/abs/${block.arxiv}`, rel: "noopener noreferrer" })));
    return box;
  };

  const kindOf = (column, text) => (column.number ? "number" : text.length > 40 ? "long" : text.length <= 14 ? "brief" : "");
  const boxOf = (table, row, place, tag) => {
    const cell = row[place];
    const text = shown(cell);
    if (text === null || text === undefined) return make(tag, { className: `${kindOf(table.columns[place], "")} missing-value`, textContent: "\u2013" });
    const box = make(tag, { className: kindOf(table.columns[place], String(text)) });
    if (cell?.id) box.append(sourceButton(String(text), { id: cell.id, says: [`${table.columns[place].label}: ${text}`, `${table.columns[0].label}: ${shown(row[0])}`] }));
    else box.textContent = text;
    return box;
  };
  const scrollable = (label, table, tall) => {
    const box = make("div", { className: tall ? "scroll tall" : "scroll", tabIndex: 0 }, table);
    box.setAttribute("role", "region");
    box.setAttribute("aria-label", label);
    return box;
  };

  // Which columns are shown: a box each, by group; the first always is.
  const columnBoxes = (table, visible, usual, change) => {
    const groups = new Map();
    table.columns.slice(1).forEach((column) => {
      const name = column.group ?? "Columns";
      if (!groups.has(name)) groups.set(name, []);
      groups.get(name).push(column);
    });
    const inputs = [];
    const sets = [...groups].map(([name, columns]) => make("fieldset", {}, make("legend", { textContent: name }), ...columns.map((column) => {
      const input = make("input", { type: "checkbox", value: column.name, checked: visible.has(column.name) });
      input.addEventListener("change", () => { if (input.checked) visible.add(column.name); else visible.delete(column.name); change(); });
      inputs.push(input);
      return make("label", { className: "switch", title: column.title ?? "" }, input, column.label);
    })));
    const set = (names) => { visible.clear(); names.forEach((name) => visible.add(name)); inputs.forEach((input) => { input.checked = visible.has(input.value); }); change(); };
    const button = (text, names) => { const made = make("button", { type: "button", className: "quiet", textContent: text }); made.addEventListener("click", () => set(names)); return made; };
    return make("details", { className: "choose" }, make("summary", { textContent: `Columns` }),
      make("p", { className: "command" }, button("As at first", usual), button("All", table.columns.map(({ name }) => name)), button("None", [])), make("div", { className: "sets" }, ...sets));
  };

  // A table that can be sorted, filtered and downloaded as it is shown. With keys: filtered by what techniques can do,
  // columns to choose, rows laid side by side.
  const drawTable = (table, key) => {
    const holder = make("div");
    const body = make("tbody");
    const counter = make("span", { className: "source" });
    counter.setAttribute("role", "status");
    const rich = Boolean(table.keys);
    const names = new Map(table.columns.map((column, index) => [column.name, index]));
    const usual = table.columns.filter((column) => !column.hidden).map(({ name }) => name);
    const asked = state.get(`${key}.columns`);
    const visible = new Set(rich && asked !== undefined && asked !== null ? asked.split(",").filter((name) => names.has(name)) : usual);
    const places = () => table.columns.map((_, index) => index).filter((index) => !index || visible.has(table.columns[index].name));
    let sortBy = null, down = false, allowed = null;
    let filter = state.get(`${key}.find`) ?? "";
    const can = rich ? hubstats.chosenCapabilities(state.get(`${key}.can`)) : new Set();
    const beside = new Set(rich ? (state.get(`${key}.beside`) ?? "").split(",").filter((one) => table.keys.includes(one)) : []);
    const visibleRows = () => {
      const words = filter.toLocaleLowerCase("en").split(/\s+/).filter(Boolean);
      const columns = places();
      let rows = table.rows.map((row, index) => ({ row, index }));
      rows = rows.filter(({ row }) => words.every((word) => columns.some((place) => String(shown(row[place]) ?? "").toLocaleLowerCase("en").includes(word))));
      if (allowed) rows = rows.filter(({ row }) => value(row[allowed.column]) === allowed.value);
      if (can.size) rows = rows.filter(({ index }) => [...can].every((one) => hubstats.capabilityOf(table.keys[index], one)?.[0] === true));
      if (sortBy !== null) rows.sort((a, b) => compare(a.row[sortBy], b.row[sortBy], down) || a.index - b.index);
      return rows;
    };
    const heading = make("tr");
    const headOf = (index) => {
      const column = table.columns[index];
      const head = make("th", { scope: "col", className: column.number ? "number" : "" });
      const button = make("button", { type: "button", textContent: column.label, title: column.title ?? "" });
      button.addEventListener("click", () => {
        down = sortBy === index ? !down : Boolean(column.number);
        sortBy = index;
        remember(`${key}.sort`, `${down ? "-" : ""}${column.name}`, "");
        refill();
        heading.querySelector("th[aria-sort] button")?.focus({ preventScroll: true });
      });
      head.append(button);
      if (index === sortBy) head.setAttribute("aria-sort", down ? "descending" : "ascending");
      return head;
    };
    const spreadOf = (rows) => {
      // Least, median and most of the numbers sorted by, with the digits that the table shows.
      if (sortBy === null || !table.columns[sortBy].number) return "";
      const cells = rows.map(({ row }) => row[sortBy]).filter((cell) => typeof value(cell) === "number").sort((a, b) => value(a) - value(b));
      return cells.length > 2 ? ` \u00b7 ${table.columns[sortBy].label}: least ${shown(cells[0])}, median ${shown(cells[Math.floor((cells.length - 1) / 2)])}, most ${shown(cells.at(-1))}` : "";
    };
    const refill = () => {
      const columns = places();
      const rows = visibleRows();
      heading.replaceChildren(...columns.map(headOf));
      counter.textContent = `${rows.length} of ${table.rows.length} rows${spreadOf(rows)}`;
      body.replaceChildren(...rows.map(({ row, index }) => {
        const line = make("tr", {}, ...columns.map((place) => {
          if (place) return boxOf(table, row, place, "td");
          const box = make("th", { scope: "row", className: kindOf(table.columns[0], String(shown(row[0]))) });
          if (!table.cards) return Object.assign(box, { textContent: shown(row[0]) ?? "\u2013" });
          const opener = make("button", { type: "button", textContent: shown(row[0]) });
          opener.setAttribute("aria-expanded", "false");
          opener.addEventListener("click", () => toggle(line, opener, index));
          box.append(opener);
          return box;
        }));
        return line;
      }));
      if (!rows.length) body.append(make("tr", {}, make("td", { colSpan: columns.length, textContent: "No row fits the filter." })));
    };
    const card = (index) => {
      const parts = make("div", { className: "facts" }, ...table.cards[index].map(fact));
      if (!rich) return [parts];
      const input = make("input", { type: "checkbox", checked: beside.has(table.keys[index]) });
      input.addEventListener("change", () => {
        if (input.checked) beside.add(table.keys[index]); else beside.delete(table.keys[index]);
        remember(`${key}.beside`, [...beside].join(","), "");
        compareRows();
      });
      return [make("label", { className: "switch" }, input, `Lay ${shown(table.rows[index][0])} beside others`), parts];
    };
    const toggle = (line, opener, index) => {
      const open = opener.getAttribute("aria-expanded") === "true";
      opener.setAttribute("aria-expanded", String(!open));
      if (open) line.nextSibling.remove();
      else line.after(make("tr", { className: "card" }, make("td", { colSpan: places().length }, ...card(index))));
      remember(`${key}.card`, open ? "" : String(value(table.rows[index][0])), "");
    };
    const side = make("div", { className: "beside" });
    const compareRows = () => {
      const chosen = [...beside].map((one) => table.rows[table.keys.indexOf(one)]);
      if (!chosen.length) { side.replaceChildren(); return; }
      const lines = table.columns.slice(1).map((column, before) => [column, before + 1]).filter(([, place]) => chosen.some((row) => row[place] !== null));
      const clear = make("button", { type: "button", className: "quiet", textContent: "Clear" });
      clear.addEventListener("click", () => { beside.clear(); remember(`${key}.beside`, "", ""); compareRows(); refill(); });
      let group = "";
      side.replaceChildren(make("p", { className: "command" }, make("strong", { textContent: "Side by side" }), clear), scrollable("Techniques side by side", make("table", {},
        make("caption", { className: "visually-hidden", textContent: "Techniques side by side" }),
        make("thead", {}, make("tr", {}, make("th", { scope: "col", textContent: "Measure" }), ...chosen.map((row) => make("th", { scope: "col", textContent: shown(row[0]) })))),
        make("tbody", {}, ...lines.map(([column, place]) => {
          const starts = column.group && column.group !== group;
          group = column.group ?? group;
          return make("tr", { className: starts ? "starts" : "" }, make("th", { scope: "row", textContent: column.label, title: column.title ?? "" }), ...chosen.map((row) => Object.assign(boxOf(table, row, place, "td"), { className: "brief" })));
        })))));
    };
    const download = make("button", { type: "button", textContent: "Download CSV" });
    download.addEventListener("click", () => {
      const columns = places();
      save(`${key}.csv`, csv({ columns: columns.map((place) => table.columns[place]) }, visibleRows().map(({ row }) => columns.map((place) => row[place]))), "text/csv");
    });
    const controls = make("div", { className: "controls" });
    const small = !rich && table.rows.length <= 6;
    if (!small) {
      const search = make("input", { type: "search", value: filter, placeholder: "words to find" });
      search.addEventListener("input", () => { filter = search.value; remember(`${key}.find`, filter, ""); refill(); });
      controls.append(make("label", {}, "Filter", search));
    } else filter = "";
    if (table.choice !== null) {
      const values = [...new Set(table.rows.map((row) => value(row[table.choice])).filter((item) => item !== null))].sort();
      const box = make("select", {}, make("option", { value: "", textContent: "all" }), ...values.map((item) => make("option", { value: item, textContent: item })));
      box.value = values.includes(state.get(`${key}.only`)) ? state.get(`${key}.only`) : "";
      const choose = () => { allowed = box.value ? { column: table.choice, value: box.value } : null; };
      choose();
      box.addEventListener("change", () => { choose(); remember(`${key}.only`, box.value, ""); refill(); });
      controls.append(make("label", {}, table.columns[table.choice].label, box));
    }
    controls.append(download, counter);
    const order = state.get(`${key}.sort`);
    const place = order ? names.get(order.replace(/^-/, "")) : undefined;
    if (place !== undefined) { sortBy = place; down = order.startsWith("-"); }
    holder.append(controls);
    if (rich) {
      holder.append(hubstats.capabilityBoxes("Can", can, (keys) => { remember(`${key}.can`, keys.join(","), ""); refill(); }),
        columnBoxes(table, visible, usual, () => {
          const now = places().slice(1).map((index) => table.columns[index].name);
          remember(`${key}.columns`, now.join(","), usual.slice(1).join(","));
          refill();
        }), side);
      compareRows();
    }
    holder.append(scrollable(table.caption, make("table", {}, make("caption", { className: "visually-hidden", textContent: table.caption }), make("thead", {}, heading), body), table.rows.length > 12));
    refill();
    const wanted = state.get(`${key}.card`);
    if (table.cards && wanted) {
      const opener = [...body.rows].map((line) => line.cells[0].querySelector("button")).find((button) => button?.textContent === wanted);
      if (opener) { opener.click(); setTimeout(() => { const box = opener.closest(".scroll"); box.scrollTop = opener.closest("tr").offsetTop - box.querySelector("thead").offsetHeight - 8; }); }
    }
    return holder;
  };

  Object.assign(hubstats, { drawTable, shown, value, compare, csv, save });
})();
