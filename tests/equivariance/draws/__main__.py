"""`python -m tests.equivariance.draws [first] [last]`: the table of so many draws."""

import sys
import warnings

import torch

from equivariance.theory import program
from tests.equivariance.draws.judged import Judged, judged, table_of

if __name__ == "__main__":
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    program.SEARCH_PX = 4
    first, last = (int(each) for each in (sys.argv[1:3] if len(sys.argv) > 2 else ("0", sys.argv[1])))
    found: list[Judged] = [judged(seed) for seed in range(first, last)]
    print(table_of(found))
