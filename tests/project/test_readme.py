"""The examples of the README give what it says."""

import doctest

from tests.support import ROOT


def test_the_lines_of_the_library_give_what_the_readme_says() -> None:
    tried = doctest.testfile(str(ROOT / "README.md"), module_relative=False, optionflags=doctest.ELLIPSIS)

    assert tried.failed == 0
    assert tried.attempted >= 7
