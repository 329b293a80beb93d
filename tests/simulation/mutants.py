"""Planted protocol bugs, each of which the simulation must find; and which defence hides which bug.

A mutant with `masked_by` does no harm while that defence stands: its first edit is the bug, the others remove the defence.
The test makes sure of it: in the history that shows the two together, neither of them shows alone.
"""

from simulation.mutants_here import HERE
from simulation.mutants_hidden import HIDDEN
from simulation.mutants_there import THERE
from simulation.mutants_together import TOGETHER

MUTANTS = (*HERE, *THERE, *HIDDEN, *TOGETHER)
