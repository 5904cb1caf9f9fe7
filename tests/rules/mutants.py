"""Mutants of the alert rules: `python -m tests.rules.mutants [ALERT …]` says which no test of the rules notices.

A mutant is an alert with one thing changed: a number or a wait doubled or halved, `and` and `or` swapped, `unless` made
`and`, or a label dropped, be it one that the alert carries, that its expression groups or joins by, or that selects
series. It is killed when a test that names the alert fails. All are checked to be valid rules first, so none is
killed by its form. Ends with 1 where fewer than 95 % are killed, or where one of `EQUIVALENT` is.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import yaml

HERE: Final = Path(__file__).parent
DEPLOYED: Final = HERE.parents[1] / "deploy" / "prometheus"
LEAST_KILLED: Final = 0.95
_ANY: Final = "it fires for every value, and none is shown"
_EASIER: Final = "it changes the second way alone, below a usual share of 10 %, where the first way asks for less"
EQUIVALENT: Final = {
    ("Watchdog", "(1) 1 * 2"): _ANY,
    ("Watchdog", "(1) 1 / 2"): _ANY,
    ("ErrorSpikeFewSessions", "(6) 0.05 * 2"): _EASIER,
    ("ErrorSpikeFewSessions", "(6) 0.05 / 2"): _EASIER,
}
"""(alert, change) -> why no series can tell the mutant from the rule."""

_load: Final = partial(yaml.load, Loader=yaml.BaseLoader)  # all is text: `0x60` is a row of zeros, no number
_NUMBER: Final = re.compile(r"(?<![\w.:])\d+(?:\.\d+)?(?![\w.])")
_OPERATOR: Final = re.compile(r"\b(?:and|or|unless)\b")
_LABELS: Final = re.compile(r"\b(?P<of>by|on) \((?P<names>[^)]+)\)|\{(?P<matchers>[^}]+)\}")
_RECORD: Final = re.compile(r"\w+:[\w:]+")
_SWAPPED: Final = {"and": "or", "or": "and", "unless": "and"}
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600}
_OUTCOMES: Final = {
    (False, False): "killed",
    (True, False): "survived",
    (True, True): "equivalent",
    (False, True): "killed, though listed",
}
"""(lives, is listed as equivalent) -> what is said of it."""

Rule = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Mutant:
    """An alert with one thing changed: `change` says what and where, as `(1) 60 * 2` for the first number."""

    alert: str
    change: str
    rule: Rule


def alerts() -> list[Rule]:
    """Return the alert rules that are deployed."""
    groups = _load((DEPLOYED / "alerts.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def mutants(rule: Rule) -> Iterator[Mutant]:
    """Yield each mutant of an alert once. There is none of a 0: doubled or halved, it is the same."""
    for change, expression in _expressions(rule["expr"]):
        yield Mutant(rule["alert"], change, rule | {"expr": expression})
    for wait in [name for name in ("for", "keep_firing_for") if name in rule]:
        seconds = int(rule[wait][:-1]) * _SECONDS[rule[wait][-1]]
        yield Mutant(rule["alert"], f"{wait} * 2", rule | {wait: f"{seconds * 2}s"})
        yield Mutant(rule["alert"], f"{wait} / 2", rule | {wait: f"{seconds // 2}s"})
    for name in rule["labels"]:
        kept = {label: value for label, value in rule["labels"].items() if label != name}
        yield Mutant(rule["alert"], f"label {name} dropped", rule | {"labels": kept})


def _expressions(expression: str) -> Iterator[tuple[str, str]]:
    """Yield what is changed, and the changed expression."""

    def replaced(span: tuple[int, int], text: str) -> str:
        return expression[: span[0]] + text + expression[span[1] :]

    for number, found in enumerate(_NUMBER.finditer(expression), 1):
        for change in ("* 2", "/ 2") if float(found[0]) else ():
            yield f"({number}) {found[0]} {change}", replaced(found.span(), f"({found[0]} {change})")
    for number, found in enumerate(_OPERATOR.finditer(expression), 1):
        swapped = _SWAPPED[found[0]]
        yield f"({number}) {found[0]} becomes {swapped}", replaced(found.span(), swapped)
    for number, found in enumerate(_LABELS.finditer(expression), 1):
        part = "names" if found["names"] else "matchers"
        labels = [label.strip() for label in found[part].split(",")]
        for label in labels:
            kept = ", ".join(each for each in labels if each != label)
            yield f"({number}) {found['of'] or 'matcher'} {label} dropped", replaced(found.span(part), kept)


def trials(alert: str) -> list[dict[str, Any]]:
    """Return the files of tests that name the alert, without other tests; those of weeks last, they take longest."""
    found = []
    for path in sorted(HERE.glob("*.yml"), key=lambda each: ("usual" in each.name, each.name)):
        whole = _load(path.read_text())
        tests = []
        for test in whole["tests"]:
            own = [each for each in test.get("alert_rule_test", ()) if each["alertname"] == alert]
            if own:
                tests.append(test | {"alert_rule_test": own, "promql_expr_test": []})
        if tests:
            found.append(whole | {"tests": tests})
    return found


def needed(recorded: Sequence[Rule], alert: Rule) -> list[Rule]:
    """Return the groups of recording rules, each with those alone that the alert depends on."""
    rules = [rule for group in recorded for rule in group["rules"]]
    wanted: set[str] = set()
    texts = [alert["expr"], *alert["annotations"].values()]
    while texts:
        named = set(_RECORD.findall(texts.pop())) - wanted
        texts += [rule["expr"] for rule in rules if rule["record"] in named]
        wanted |= named
    return [group | {"rules": [rule for rule in group["rules"] if rule["record"] in wanted]} for group in recorded]


def lives(mutant: Mutant, recorded: Sequence[Rule], tried: Sequence[dict[str, Any]]) -> bool:
    """Whether each file of tests passes with the mutant in place of its alert, in the group that is evaluated last."""
    with tempfile.TemporaryDirectory() as folder:
        rules, tests = Path(folder) / "rules.yml", Path(folder) / "tests.yml"
        for each in tried:
            own = {"name": each["group_eval_order"][-1], "rules": [mutant.rule]}
            rules.write_text(yaml.safe_dump({"groups": [*needed(recorded, mutant.rule), own]}))
            tests.write_text(yaml.safe_dump(each | {"rule_files": [str(rules)]}))
            if subprocess.run(["promtool", "test", "rules", tests], capture_output=True, check=False).returncode:
                return False
    return True


def check(made: Sequence[Mutant]) -> None:
    """Raise ValueError where a mutant is no rule: promtool would refuse it, whatever the tests say."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "rules.yml"
        groups = [{"name": str(number), "rules": [mutant.rule]} for number, mutant in enumerate(made)]
        file.write_text(yaml.safe_dump({"groups": groups}))
        command = ["promtool", "check", "rules", "--lint=none", file]
        told = subprocess.run(command, capture_output=True, text=True, check=False)
    if told.returncode:
        raise ValueError(told.stderr)


def main(wanted: Sequence[str]) -> int:
    """Try all mutants of the alerts wanted (none named: of all), print those not killed, and return the exit status."""
    recorded = _load((DEPLOYED / "recording.yml").read_text())["groups"]
    rules = [rule for rule in alerts() if not wanted or rule["alert"] in wanted]
    tried = {rule["alert"]: trials(rule["alert"]) for rule in rules}
    unchanged = [Mutant(rule["alert"], "nothing", rule) for rule in rules]
    made = [mutant for rule in rules for mutant in mutants(rule)]
    check(made)
    counted: Counter[str] = Counter()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        alive = pool.map(lambda mutant: lives(mutant, recorded, tried[mutant.alert]), [*unchanged, *made])
        for mutant in unchanged:
            if not next(alive):
                raise ValueError(f"the tests of {mutant.alert} fail with nothing changed")
        for mutant in made:
            reason = EQUIVALENT.get((mutant.alert, mutant.change))
            outcome = _OUTCOMES[next(alive), reason is not None]
            counted[outcome] += 1
            if outcome != "killed":
                print(": ".join(filter(None, (outcome, mutant.alert, mutant.change, reason))), flush=True)
    share = counted["killed"] / max(1, counted["killed"] + counted["survived"])
    print(
        f"{len(made)} mutants of {len(rules)} alerts: {', '.join(f'{n} {each}' for each, n in counted.most_common())}"
    )
    print(f"{share:.1%} of those that differ are killed, {LEAST_KILLED:.0%} are wanted")
    return int(share < LEAST_KILLED or "killed, though listed" in counted)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
