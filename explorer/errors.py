"""Expected errors of the app, of one kind with the library's: one sentence each that says what to do."""

from equivariance.errors import EquivarianceError


class PictureError(EquivarianceError):
    """Bytes that are not a picture we can show: wrong format, corrupt, too large or too small."""


class SettingError(EquivarianceError):
    """A setting with a value that is not accepted."""


class RecipeError(EquivarianceError):
    """A recipe for training with a field that is not accepted, or that does not fit the data or the network."""


class DataError(EquivarianceError):
    """A data set that is missing, damaged or not what it should be."""


class RunError(EquivarianceError):
    """A run that is not there, not the visitor's, or in a state that does not allow what was asked."""


class ResultsError(EquivarianceError):
    """A file of the paper's results that is damaged, of another version or of another budget, or cannot be written."""


class StoreError(EquivarianceError):
    """The database or the folder of the runs cannot be reached, read or written."""


class DeviceError(EquivarianceError):
    """A device that is absent, cannot do what was asked, or is out of memory."""


class Superseded(Exception):  # noqa: N818 - not an error: a later request of the same visitor took its place
    """A measurement that was stopped because the same visitor asked for a later one."""
