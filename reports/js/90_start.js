// Starts the page: panels and controls at once; charts when Plotly is there, those in sight first.
(() => {
  "use strict";
  const { root, dark, state, remember, readState, drawn, draw, fillLegend, openStrip, themeIsDark, make } = hubstats;

  const wordsOf = (html) => {
    // Hover texts are escaped lines; letters come back through a parser that runs nothing.
    const lines = html.split("<br>").map((line) => new DOMParser().parseFromString(line, "text/html").body.textContent);
    return lines.filter(Boolean);
  };
  const listen = (holder) => {
    if (holder.dataset.listens) return;
    holder.dataset.listens = "true";
    holder.on("plotly_click", (event) => {
      const [point] = event.points;
      const hover = Array.isArray(point.customdata) ? point.customdata[0] : point.customdata;
      if (typeof hover !== "string") return;
      openStrip({ says: wordsOf(hover), ids: [point.data.meta?.ids?.[point.pointIndex] ?? []].flat().filter(Boolean), source: drawn.find((one) => one.holder === holder)?.source ?? null });
    });
  };
  const renew = async (item, force) => {
    if (typeof Plotly === "undefined" || !item.holder.isConnected || (!force && item.width === item.holder.clientWidth)) return;
    item.width = item.holder.clientWidth;
    fillLegend(item.legend, item.figure);
    await draw(item.holder, item.figure);
    item.holder.style.minHeight = "";
    listen(item.holder);
  };
  // The room of charts that are not drawn yet, so that what lies below does not move.
  const reserve = () => drawn.forEach(({ holder, figure, width }) => {
    if (!width && holder.isConnected) holder.style.minHeight = `${hubstats.heightOf(figure.layout.meta, holder.clientWidth)}px`;
  });
  const near = (item) => { const box = item.holder.getBoundingClientRect(); return box.top < innerHeight * 1.2 && box.bottom > -200; };
  const idle = () => new Promise((go) => { (window.requestIdleCallback ?? setTimeout)(go, { timeout: 200 }); });
  let turn = 0;
  // What is in sight first; the other charts one by one, so that the page answers meanwhile.
  const refresh = async (force = false) => {
    reserve();
    if (!hubstats.started) return;
    turn += 1;
    const mine = turn;
    delete root.dataset.drawn;
    for (const item of drawn.filter(near)) await renew(item, force);
    root.dataset.ready = "true";
    document.dispatchEvent(new Event("hubstats-ready"));
    for (const item of [...drawn]) {
      if (!hubstats.printing) await idle();
      if (mine !== turn) return;
      await renew(item, force);
    }
    root.dataset.drawn = "true";
  };
  const forget = (stage) => {
    for (let place = drawn.length - 1; place >= 0; place -= 1) if (drawn[place].stage === stage || stage.contains(drawn[place].holder)) drawn.splice(place, 1);
  };
  Object.assign(hubstats, { refresh, forget });

  const drawAll = () => {
    drawn.splice(0);
    document.querySelectorAll("[data-panel]").forEach(hubstats.drawPanel);
  };
  const themeButton = document.getElementById("theme");
  const setTheme = (name) => {
    if (name === "dark" || name === "light") root.dataset.theme = name; else delete root.dataset.theme;
    themeButton.textContent = themeIsDark() ? "Light" : "Dark";
    themeButton.setAttribute("aria-label", themeIsDark() ? "Show on light ground" : "Show on dark ground");
  };
  themeButton.addEventListener("click", () => {
    const wanted = themeIsDark() ? "light" : "dark";
    remember("theme", wanted, dark.matches ? "dark" : "light");
    setTheme(wanted);
    refresh(true);
  });
  const apply = () => {
    readState();
    setTheme(state.get("theme"));
    drawAll();
    refresh();
    if (!state.get("at")) return;
    hubstats.goTo(state.get("at"));
    const place = scrollY;
    // Rows of labels know their height only when drawn.
    document.addEventListener("hubstats-ready", () => { if (Math.abs(scrollY - place) < 4) hubstats.goTo(state.get("at")); }, { once: true });
  };
  apply();

  let waiting = 0;
  addEventListener("resize", () => { clearTimeout(waiting); waiting = setTimeout(() => refresh(), 120); });
  dark.addEventListener("change", () => { setTheme(state.get("theme")); refresh(true); });
  addEventListener("popstate", () => { if (location.hash.includes("=") || !location.hash) apply(); });
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("a[href^='#at=']");
    if (!link || event.metaKey || event.ctrlKey || event.shiftKey || event.button) return;
    event.preventDefault();
    hubstats.closeStrip();
    hubstats.follow(link.getAttribute("href").slice(1));
    apply();
  });
  // Charts are drawn anew in the width of a sheet, before the printer takes the page.
  const print = (on) => { hubstats.printing = on; root.toggleAttribute("data-printing", on); refresh(true); };
  addEventListener("beforeprint", () => print(true));
  addEventListener("afterprint", () => print(false));
  // Plotly lies packed in the page: unpacked, it is a script like any other, and runs because the policy knows its hash.
  const unpack = async () => {
    const packed = Uint8Array.from(atob(document.getElementById("plotly").textContent), (letter) => letter.charCodeAt(0));
    const text = await new Response(new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
    document.head.append(make("script", { textContent: text }));
    if (typeof Plotly === "undefined") throw new Error("Plotly did not start");
  };
  const begin = async () => {
    // After the first paint: reading Plotly takes most of a second.
    await new Promise((go) => { requestAnimationFrame(() => setTimeout(go)); });
    try {
      await unpack();
    } catch (error) {
      document.querySelectorAll(".chart").forEach((chart) => chart.replaceChildren(make("p", { className: "missing", textContent: "This browser cannot unpack the charts; their numbers are in the tables below them." })));
      root.dataset.ready = "true";
      throw error;
    }
    hubstats.started = true;
    await refresh();
  };
  begin();
})();
