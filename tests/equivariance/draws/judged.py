"""The library's word on a drawn network, held against what is true of it."""

import copy
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import torch
from torch import nn

import equivariance as eq
from equivariance.errors import EquivarianceError
from equivariance.report import Report
from tests.equivariance.draws.own_group import GROUPS, name_of, swaps
from tests.equivariance.draws.programs import Draw, draw
from tests.equivariance.draws.truth import Truth, odd_pictures_of, pictures_of, truth_of

RIGHT, UNDECIDED, MEASURED, REFUSED = "right", "undecided", "measurement alone", "refused in one sentence"


@dataclass
class Judged:
    """answer: RIGHT, UNDECIDED, MEASURED or REFUSED. faults: what may never happen and did, in words.

    false_proofs: what theory alone proves and is not so, though the measurement catches it. too_strict: what theory
    alone finds broken and is not: the report then says "undecided".
    """

    seed: int
    used: tuple[str, ...]
    answer: str = ""
    verdict: str = ""
    not_followed: tuple[str, ...] = ()
    faults: list[str] = field(default_factory=list)
    false_proofs: list[str] = field(default_factory=list)
    too_strict: list[str] = field(default_factory=list)
    dead: bool = False


def judged(seed: int) -> Judged:
    """The network of a seed: checked, and its word compared with the truth of two draws of its weights."""
    drawn = draw(seed)
    found = Judged(seed, drawn.used)
    before = _state(drawn.network)
    try:
        report = eq.check(drawn.network, drawn.hw, group=drawn.group, channels=drawn.channels)
    except EquivarianceError as error:
        found.answer = REFUSED
        if len(str(error).splitlines()) != 1:
            found.faults.append(f"more than a sentence: {error}")
        return found
    except Exception as error:  # whatever is raised is the fault that is looked for
        found.faults.append(f"a traceback: {type(error).__name__}: {error}")
        return found
    if _state(drawn.network) != before:
        found.faults.append("the network was changed")
    drawn = replace(drawn, kinds=_as_compared(drawn, report))
    truths = _truths(seed, drawn)
    found.dead = truths[0].dead
    found.verdict = report.verdict
    found.not_followed = tuple(entry["operation"] for entry in report.not_followed)
    found.faults += _false_words(drawn, report, truths)
    found.false_proofs += _false_proofs(report, truths)
    found.too_strict += _too_strict(report, truths)
    found.faults += _false_sizes(drawn, report, seed)
    found.answer = _answer(report)
    return found


def _as_compared(drawn: Draw, report: Report) -> dict[str, tuple[str, str]]:
    """What the outputs are, as the report says that it has compared them where theory could not tell."""
    kinds = dict(drawn.kinds)
    for path, output in report.outputs.items():
        if output["compared as"] == "invariant" and UNDECIDED in output["theory"].values():
            kinds[path] = ("invariant", "")
    return kinds


def _answer(report: Report) -> str:
    if report.verdict == "undecided":
        return UNDECIDED
    return RIGHT if report.evidence == "theory and measurement" else MEASURED


def _is_often_broken(truth: Truth, name: str) -> bool:
    """On two pictures of five: what a rare picture breaks, a measurement of eleven others need not find."""
    return truth.is_broken(name) and truth.share_broken[name] > 0.3 and not truth.dead


def _truths(seed: int, drawn: Draw) -> list[Truth]:
    pictures = pictures_of(drawn.channels, drawn.hw)
    return [
        truth_of(draw(seed, weights).network, pictures[: 5 - 3 * weights], drawn.group, drawn.kinds)
        for weights in (0, 1)
    ]


def _always_exact(drawn: Draw, name: str) -> bool:
    """Whether errors are rounding on pictures of other kinds too."""
    pictures = odd_pictures_of(drawn.channels, drawn.hw)
    truth = truth_of(draw(drawn.seed).network, pictures, drawn.group, drawn.kinds)
    return truth.is_exact(name) and not truth.dead


def _false_words(drawn: Draw, report: Report, truths: list[Truth]) -> list[str]:
    """What `check` says and is not so."""
    faults = []
    proven = report.evidence == "theory and measurement"
    for name, status in report.elements.items():
        errors = [truth.errors[name] for truth in truths]
        if status == "exact" and (_is_often_broken(truths[0], name) or (proven and truths[1].is_broken(name))):
            faults.append(f"{name} is called exact ({report.evidence}), and errors are {errors}")
        if status == "broken" and truths[0].is_exact(name) and not truths[0].dead and _always_exact(drawn, name):
            faults.append(f"{name} is called broken ({report.evidence}), and errors are {errors}")
    if report.verdict == "exact" and not proven and "not proven" not in report.sentence:
        faults.append("measured, and the sentence does not say so")
    return faults


def _false_proofs(report: Report, truths: list[Truth]) -> list[str]:
    faults = []
    for name in report.elements:
        statuses = {output["theory"][name] for output in report.outputs.values()}
        if (
            statuses == {"exact"}
            and not truths[0].dead
            and any(truth.is_broken(name) and not truth.dead for truth in truths)
        ):
            faults.append(f"theory proves {name} exact, and errors are {[truth.errors[name] for truth in truths]}")
    return faults


def _too_strict(report: Report, truths: list[Truth]) -> list[str]:
    found = []
    for name in report.elements:
        statuses = {output["theory"][name] for output in report.outputs.values()}
        if "broken" in statuses and all(truth.is_exact(name) and not truth.dead for truth in truths):
            found.append(f"theory finds {name} broken, and errors are {[truth.errors[name] for truth in truths]}")
    return found


def name_of_all(group: str) -> list[str]:
    """The names of all elements but the identity."""
    return [name_of(move) for move in GROUPS[group][1:]]


def _false_sizes(drawn: Draw, report: Report, seed: int) -> list[str]:
    """Sizes that are offered as exact and are not."""
    height, width = drawn.hw
    faults = []
    for axis, key in enumerate(("height", "width")):
        for side in report.exact_sizes_px[key]:
            if side is None:
                continue
            hw = (side, side) if height == width else (side, width) if axis == 0 else (height, side)
            pictures = pictures_of(drawn.channels, hw, 2)
            try:
                truth = truth_of(draw(seed).network, pictures, drawn.group, drawn.kinds)
            except (RuntimeError, ValueError, IndexError) as error:
                faults.append(f"{hw} is offered, and the network cannot take it: {error}")
                continue
            names = list(report.elements) if height == width else _reversals(drawn.group, axis)
            faults += [
                f"{hw} is offered, and {name} is broken there"
                for name in names
                if truth.is_broken(name) and not truth.dead
            ]
    return faults


def _reversals(group: str, axis: int) -> list[str]:
    """The mirrors of a group that reverse one axis alone."""
    wanted = (True, 2 if axis == 0 else 0)
    return [name_of(move) for move in GROUPS[group] if move == wanted and not swaps(move)]


def _state(network: nn.Module) -> object:
    """All that a check must leave alone."""
    tensors = {name: tensor.detach().clone().numpy().tobytes() for name, tensor in network.state_dict().items()}
    modes = [module.training for module in network.modules()]
    hooks = [(len(m._forward_hooks), len(m._forward_pre_hooks), len(m._backward_hooks)) for m in network.modules()]
    gradients = [(p.requires_grad, p.grad is None) for p in network.parameters()]
    random_state = torch.random.get_rng_state().numpy().tobytes()
    return copy.copy((tensors, modes, hooks, gradients, random_state))


def table_of(all_judged: Iterable[Judged]) -> str:
    """Counts of right, undecided (by operation) and measured answers, and what may never happen."""
    answers: Counter[str] = Counter()
    undecided: Counter[str] = Counter()
    faults: list[str] = []
    too_strict = 0
    for each in all_judged:
        answers[each.answer or "traceback"] += 1
        if each.answer in (UNDECIDED, MEASURED):
            undecided.update(set(each.not_followed) or {"(theory and measurement disagree, or nothing to compare)"})
        too_strict += bool(each.too_strict)
        faults += [f"  draw {each.seed}: {fault}" for fault in (*each.faults, *each.false_proofs)]
    lines = [f"{count:6d}  {name}" for name, count in answers.most_common()]
    lines += ["undecided or measured alone, by what theory did not follow:"]
    lines += [f"{count:6d}  {name}" for name, count in undecided.most_common()]
    lines.append(f"{too_strict:6d}  draws of which theory is too strict, all of them undecided")
    return "\n".join([*lines, f"never to happen: {len(faults)}", *faults])
