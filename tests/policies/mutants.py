"""Breaks one condition of one rule at a time and asks whether the policies' own tests notice.

Each condition, a line of a rule's body, is once left out and once negated. What does not load is no mutant.
A survivor is a condition that no test holds; those that change nothing are listed in EQUIVALENT with the reason.

    python tests/policies/mutants.py [--every N] [FOLDER]
"""

import argparse
import json
import os
import re
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import regorus

ROOT = Path(__file__).resolve().parents[2] / "policies"
AT_LEAST_PERCENT = 95
ENDS_WITHIN_S = 60
KILLED, SURVIVED, STILLBORN = 10, 11, 12
EQUIVALENT: dict[str, str] = {
    "lib/well_formed.rego: proposal_well_formed: is_number(proposal.confidence)": (
        "nothing but a number lies between 0 and 1 in Rego's order"
    ),
    "guardrails/cost/cost.rego: cost.ask_first: not data.watchkeeper.lib.is_undo": (
        "no undo is destructive, which the rule asks too"
    ),
    'lib/levels.rego: granted: entry.change == "granted"': ("what was demoted was granted upon no level"),
    'lib/levels.rego: lost: entry.change == "demoted"': ("a granted level counted twice is the same level"),
    "guardrails/idle/idle.rego: idle.grace: notice_given": "the next line binds the time of that notice",
    "lib/well_formed.rego: well_formed: now_ns > 0": "a time that cannot be read fails by itself",
    "lib/well_formed.rego: standing_well_formed: time.parse_rfc3339_ns(moment) > 0": (
        "a time that cannot be read fails by itself"
    ),
    "lib/well_formed.rego: standing_well_formed: is_array(standing.levels)": (
        "a map is gone through like a list, all else fails below"
    ),
    "lib/well_formed.rego: facts_well_formed: is_array(facts.budgets)": (
        "a map is gone through like a list, all else fails below"
    ),
    "lib/well_formed.rego: facts_well_formed: is_array(facts.evidence)": (
        "a map is gone through like a list, all else fails below"
    ),
    "lib/history.rego: on_target: past.target.name == input.proposal.target.name": (
        "the reference on the next line ends in the name; asking for the name first is quicker"
    ),
    "lib/well_formed.rego: well_formed: is_object(data.limits)": "two of its keys are asked for below",
    'lib/history.rego: next_rung: past.action == "request_node_repair"': (
        "no other action has an operation or a GPU as parameter"
    ),
}
"""By 'file: rule: condition', the rule by its reason code where it gives one: why no test tells the mutant from it."""
CONDITION = re.compile(r"^\t+(?!some |every |\"|\}|\]|\{|#)(?P<text>[^{\[]*[^{\[(,])$")
BOUND = re.compile(r"^\w+ := ")
TEST = re.compile(r"^(test_\w+) ", re.MULTILINE)
RULE = re.compile(r"^(?:default )?(?P<name>\w+)(?:.*\"code\": \"(?P<code>[\w.]+)\")?")


@dataclass(frozen=True)
class Mutant:
    file: str
    line: int
    rule: str
    condition: str
    how: str
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.rule}: {self.how}: {self.condition}"

    @property
    def key(self) -> str:
        return f"{self.file}: {self.rule}: {self.condition}"


def mutants(file: str, text: str) -> Iterator[Mutant]:
    lines, rule = text.splitlines(), ""
    for number, line in enumerate(lines):
        begun = RULE.match(line)
        rule = (begun["code"] or begun["name"]) if begun else rule
        found = CONDITION.match(line)
        if found is None or BOUND.match(found["text"]):
            continue
        condition, indent = found["text"], line[: len(line) - len(line.lstrip("\t"))]
        other = condition.removeprefix("not ") if condition.startswith("not ") else f"not {condition}"
        for how, instead in (("without", f"{indent}true"), ("negated", f"{indent}{other}")):
            changed = "\n".join([*lines[:number], instead, *lines[number + 1 :]]) + "\n"
            yield Mutant(file, number + 1, rule, condition, how, changed)


class Tests:
    """The policies' own, those of the mutated folder first: it dies there or nowhere, mostly."""

    def __init__(self, folder: Path) -> None:
        files = {file.relative_to(folder).as_posix(): file.read_text("utf-8") for file in folder.rglob("*.rego")}
        self.files = files = dict(sorted(files.items()))
        self.tests = [
            (name, f"data.{_package(text)}.{test}")
            for name, text in files.items()
            if name.endswith("_test.rego")
            for test in TEST.findall(text)
        ]

    def kill(self, mutant: Mutant) -> bool | None:
        """None where it does not load. In a process of its own: some never end, or end the interpreter."""
        child = os.fork()
        if child == 0:
            signal.alarm(ENDS_WITHIN_S)
            os._exit({True: KILLED, False: SURVIVED, None: STILLBORN}[self._noticed(mutant)])
        _, status = os.waitpid(child, 0)
        code = os.waitstatus_to_exitcode(status)
        return None if code == STILLBORN else code != SURVIVED

    def _noticed(self, mutant: Mutant) -> bool | None:
        engine = regorus.Engine()
        try:
            for name, text in self.files.items():
                engine.add_policy(name, mutant.text if name == mutant.file else text)
            own = mutant.file.rpartition("/")[0]
            for _, rule in sorted(self.tests, key=lambda test: not test[0].startswith(own)):
                try:
                    if json.loads(engine.eval_rule_as_json(rule)) is not True:
                        return True
                except RuntimeError as fault:
                    if "unsafe" in str(fault) or "not found" in str(fault):
                        return None
                    return True
        except RuntimeError:
            return None
        return False


def _package(text: str) -> str:
    found = re.search(r"^package (\S+)", text, re.MULTILINE)
    return found[1] if found else ""


def main() -> int:
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("--every", type=int, default=1, metavar="N", help="only each Nth mutant")
    given.add_argument("folder", type=Path, nargs="?", default=ROOT)
    options = given.parse_args()
    tests = Tests(options.folder)
    sources = [name for name in tests.files if not name.endswith("_test.rego")]
    chosen = [mutant for name in sources for mutant in mutants(name, tests.files[name])][:: options.every]
    if chosen and tests.kill(replace(chosen[0], text=tests.files[chosen[0].file])) is not False:
        print("the tests fail without any mutant: mend them first (watchkeeper policy test)")
        return 1
    killed, survivors, stillborn, equivalent = 0, [], 0, []
    began = time.monotonic()
    for mutant in chosen:
        died = tests.kill(mutant)
        if died is None:
            stillborn += 1
        elif died:
            killed += 1
        elif mutant.key in EQUIVALENT:
            equivalent.append(mutant)
        else:
            survivors.append(mutant)
    for mutant in equivalent:
        print(f"no test can tell: {mutant} ({EQUIVALENT[mutant.key]})")
    for mutant in survivors:
        print(f"survived: {mutant}")
    counted = killed + len(survivors)
    percent = 100 * killed / counted if counted else 0.0
    print(
        f"{killed} of {counted} mutants killed ({percent:.1f} %), {len(equivalent)} that no test can tell, "
        f"{stillborn} do not load, {time.monotonic() - began:.0f} s"
    )
    return 0 if percent >= AT_LEAST_PERCENT else 1


if __name__ == "__main__":
    sys.exit(main())
