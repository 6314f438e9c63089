"""Expected errors: each message is one sentence: what failed, what was given, what is accepted and what to do."""


class EquivarianceError(Exception):
    """Base of all errors that a user can cause and mend: one sentence on the page, exit status 2 in a terminal."""


class NetworkError(EquivarianceError):
    """A network, its name, file or factory that cannot be used."""


class SizeError(EquivarianceError):
    """A height or width that the network cannot take."""


class TransformError(EquivarianceError):
    """A transform name that cannot be read, or that does not fit the picture."""


class WeightsError(EquivarianceError):
    """Weights that do not fit the network."""


class GroupError(EquivarianceError):
    """A group name that cannot be read, or a group that the network does not have."""


def kind_of(value: object) -> str:
    """What was passed in the place of something else, by its class: `of type int`, `the class Conv2d`."""
    return f"the class {value.__name__}" if isinstance(value, type) else f"of type {type(value).__name__}"


def first_line(error: BaseException) -> str:
    """The first line of what an error says, or its kind."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
