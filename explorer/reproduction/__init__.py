"""The paper reproduced: which runs belong to which claim, their figures with statistics, and the authors' beside."""
