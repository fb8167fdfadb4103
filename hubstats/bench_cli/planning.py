"""From what the command line asks to a plan, and what it will cost."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from hubstats.bench_cli.package import bench
from hubstats.errors import BenchError, ConfigError


def wished(
    task: str | None,
    device: str | None,
    model: str | None,
    data: Path | None,
    seeds: int,
    steps: int | None,
    items: int | None,
    answers: int | None,
    references: bool,
    options: list[str] | None,
) -> Any:
    """What the command line asks of every run. Raises ConfigError for a device or an option that there is not."""
    if device not in (None, *bench("spec").DEVICES):
        raise ConfigError(f"there is no device {device!r}: cpu, cuda or mps")
    planner = bench("plan")
    chosen = None if options is None else tuple(name for name in options if name != "none")
    bench("spec").check_options(chosen or ())
    return planner.Wish(
        task=task or "gsm8k",
        device=device,
        model=model,
        data=data,
        seeds=seeds,
        steps=steps,
        items=items,
        answers=answers,
        references=planner.REFERENCES if references else (),
        options=chosen,
    )


def made_from(
    technique: list[str] | None,
    experiment: list[Path] | None,
    most: int,
    least: int,
    popularity: str | None,
    wish: Any,
    db: Path,
) -> Any:
    """The plan for what is named, or else for what popularity chooses."""
    from hubstats.techniques import load

    registry, choose = load(), bench("choose")
    experiments, planning = bench("experiment"), bench("plan")
    shipped = experiments.shipped(registry)
    if technique or experiment:
        choices = list(choose.by_name(technique or [], shipped, registry).choices)
        for folder in experiment or []:
            found = experiments.find_experiments(folder, registry)
            choices += [choose.Choice(each.key, each, None, "asked for") for each in found]
        return planning.assemble(choose.Selection(tuple(choices), (), ()), wish, registry, "chosen by hand")
    counted = popularity_in(db, popularity)
    task = bench("tasks").get(wish.task)
    device = wish.device or planning.this_device()

    def unmet(each: Any) -> str | None:
        reason: str | None = bench("benchable").unmet(each.adapter, each.training(task.defaults), device)
        return reason

    selection = choose.by_popularity(counted, shipped, registry, most, least, unmet)
    return planning.assemble(selection, wish, registry, counted.basis)


def from_preset(name: str, wish: Any, fixed: dict[str, Any]) -> Any:
    """The plan that comes with hubstats under this name, with what `wish` asks instead of its own where it does.

    `fixed` are options that a preset has settled. Raises ConfigError when one of them was given.
    """
    from hubstats.techniques import load

    refuse_given(fixed, f"the preset {name}")
    registry, choose, planning = load(), bench("choose"), bench("plan")
    names, preset, about = planning.preset(name)
    asked = {"device": wish.device, "model": wish.model, "data": wish.data, "seeds": max(wish.seeds, preset.seeds)}
    asked |= {
        field: getattr(wish, field)
        for field in ("steps", "items", "answers", "options")
        if getattr(wish, field) is not None
    }
    by_name = {each.name: each for each in bench("experiment").shipped(registry)}
    choices = tuple(choose.Choice(by_name[name].key, by_name[name], None, "in the preset") for name in names)
    return planning.assemble(choose.Selection(choices, (), ()), replace(preset, **asked), registry, about)


def refuse_given(options: dict[str, Any], by: str) -> None:
    """Raises ConfigError when an option was given that the plan has settled already: it would be ignored."""
    given = [name for name, value in options.items() if value is not None]
    if given:
        raise ConfigError(f"{by} settles --{given[0]} itself: leave it out, or make a plan with 'hubstats bench plan'")


def popularity_in(db: Path, wanted: str | None) -> Any:
    """The set of shares to choose by: the one asked for, or of repositories the one that saw most techniques."""
    from hubstats.ask import connect

    with connect(db) as answers:
        rows = answers.query("technique_share").to_dicts()
    sets: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for row in rows:
        sets.setdefault((row["source"], row["measure"], row["rule"]), []).append(row)
    if wanted is not None:
        key = tuple(wanted.split("/"))
        if key not in sets:
            known = ", ".join("/".join(key) for key in sorted(sets)) or "none yet; crawl first"
            raise ConfigError(f"the file has no popularity {wanted!r}: there is {known}")
        chosen = key
    else:
        candidates = [key for key in sets if key[1] == "repositories"] or list(sets)
        if not candidates:
            raise BenchError(f"{db} holds no popularity yet: hubstats crawl, or name techniques with --technique")
        chosen = max(sorted(candidates), key=lambda key: (len(sets[key]), sets[key][0]["subjects"]))
    shares = {row["technique"]: row["share"] for row in sets[chosen] if row["share"]}
    return bench("choose").Popularity(*chosen, max(row["subjects"] for row in sets[chosen]), shares)


def enough_seeds(asked: int, tune: bool) -> int:
    """As many seeds as asked for, and enough of them to tell techniques apart after tuning."""
    return max(asked, int(bench("tune").SEEDS)) if tune else asked


def costs_of(made: Any, out: Path) -> tuple[list[Any], list[Any]]:
    """What each run of the plan will cost, and each trial before them."""
    estimator = bench("cost").Estimator(bench("result").stored(out)[0])
    trials = bench("tune").expected(made.specs) if made.tune else []
    return [estimator.cost(spec) for spec in made.specs], [estimator.cost(spec) for spec in trials]


def with_trials(made: Any, costs: list[Any], trials: list[Any]) -> list[float]:
    """Seconds of each run, with its part of the trials of its setting."""
    if not made.tune:
        return [cost.seconds for cost in costs]
    setting = bench("spec").setting_id
    spent: dict[str, float] = {}
    for spec, trial in zip(bench("tune").expected(made.specs), trials, strict=True):
        spent[spec.experiment] = spent.get(spec.experiment, 0.0) + trial.seconds
    seeds = [setting(spec) for spec in made.specs]
    return [
        cost.seconds + (0.0 if spec.role == "base" else spent[spec.experiment] / seeds.count(setting(spec)))
        for spec, cost in zip(made.specs, costs, strict=True)
    ]
