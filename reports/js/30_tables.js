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
          } else if (known && cell?.id) box.append(sourceButton(String(text), { id: cell.id, says: [`${table.columns[place].label}: ${text}`, `${table.columns[0].label}: ${shown(row[0])}`] }));
          else box.textContent = known ? text : "\u2013";
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

  Object.assign(hubstats, { drawTable, shown, value, compare, csv, save });
})();
