// Boxes to choose capabilities by, for the technique table and the advice.
(() => {
  "use strict";
  const { data, make } = hubstats;
  const { list, answers } = data.capabilities;
  const place = new Map(list.map((one, index) => [one.key, index]));
  const groups = [["use", "In use"], ["train", "In training"], ["layers", "Goes into"]];

  // [able, label, detail], or null where it was not asked.
  const answer = (technique, key) => (Object.hasOwn(answers, technique) ? answers[technique][place.get(key)] : null);
  const known = (key) => place.has(key);

  const boxes = (label, chosen, change) => {
    const summary = make("summary", {});
    const say = () => { summary.textContent = chosen.size ? `${label}: ${list.filter((one) => chosen.has(one.key)).map((one) => one.name).join(", ")}` : `${label}: anything`; };
    say();
    const sets = groups.map(([group, name]) => make("fieldset", {}, make("legend", { textContent: name }), ...list.filter((one) => one.group === group).map((one) => {
      const input = make("input", { type: "checkbox", value: one.key, checked: chosen.has(one.key) });
      input.addEventListener("change", () => {
        if (input.checked) chosen.add(one.key); else chosen.delete(one.key);
        say();
        change(list.map(({ key }) => key).filter((key) => chosen.has(key)));
      });
      return make("label", { className: "switch", title: one.meaning }, input, one.name);
    })));
    return make("details", { className: "choose" }, summary, make("div", { className: "sets" }, ...sets));
  };
  const chosenIn = (text) => new Set((text ?? "").split(",").filter(known));

  Object.assign(hubstats, { capabilityBoxes: boxes, capabilityOf: answer, chosenCapabilities: chosenIn, capabilityName: (key) => list[place.get(key)].name });
})();
