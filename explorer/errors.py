"""Expected errors: each message is one sentence on what failed, what was given, what is accepted and what to do."""


class ExplorerError(Exception):
    """Base of all errors that a visitor can cause and mend: one sentence on the page, exit status 2 in a terminal."""


class PictureError(ExplorerError):
    """Bytes that are no picture we can show: wrong format, corrupt, too large or too small."""


class NetworkError(ExplorerError):
    """A network name, file or factory that cannot be used."""


class SizeError(ExplorerError):
    """A height or width that the network cannot take."""


class TransformError(ExplorerError):
    """A transform name that cannot be read, or that does not fit the picture."""


class WeightsError(ExplorerError):
    """Weights that do not fit the network."""


class SettingError(ExplorerError):
    """A setting with a value that is not accepted."""


class RecipeError(ExplorerError):
    """A recipe for training with a field that is not accepted, or that does not fit the data or the network."""


class DataError(ExplorerError):
    """A data set that is missing, damaged or not what it should be."""


class RunError(ExplorerError):
    """A run that is not there, not the visitor's, or in a state that does not allow what was asked."""


class ResultsError(ExplorerError):
    """A file of the paper's results that is damaged, of another version or of another budget, or cannot be written."""


class StoreError(ExplorerError):
    """The database or the folder of the runs cannot be reached, read or written."""


class DeviceError(ExplorerError):
    """A device that is absent, cannot do what was asked, or is out of memory."""


class Superseded(Exception):  # noqa: N818 - not an error: a later request of the same visitor took its place
    """A measurement that was stopped because the same visitor asked for a later one."""
