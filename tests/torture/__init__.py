"""`make torture`: what hubstats promises when servers fail, processes die, input is hostile and tokens are about.

    python -m tests.torture                     every plan, long form: minutes
    python -m tests.torture faults --short      one plan as the tests run it: seconds

A plan is a module with `torture(scale, folder)` that yields one Outcome per case; `__main__` prints them as one
table, and the promise is that its last four columns are all zero.
"""
