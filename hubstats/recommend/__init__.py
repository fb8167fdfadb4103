"""Which techniques fit a memory, a time and a list of needs, from measured runs and probed capabilities. Pure.

    asked = Asked.read(memory="12GB", time="1h", needs="merge,quantised", task="math")
    advice = recommend(settings, capabilities, asked)    # frames of the queries settings_with_costs and capabilities
    advice.as_json()

Scores are compared within a contest only: one origin, task, base model and metric. Of each technique the best setting
within the limits is taken. A technique is level with the best unless its lead over its standard error is beyond the
critical value of multiple comparisons with the best (hubstats.estimate.standing), at 95% for the group; in a tie the
one that takes less memory stands first. What is not known is never passed over: a technique with an unknown capability
or a cost that was not measured stands apart, with what is missing. Memory and time are those of the run, on its
hardware, with its base model and batch.

reports/js/50_recommend.js does the same in the page, on the same rows; tests/test_report_recommend.py compares them.
"""

from hubstats.recommend.advice import Advice, Asked, Choice, Contest, Excluded
from hubstats.recommend.ranking import critical_values, grouped, recommend

__all__ = ["Advice", "Asked", "Choice", "Contest", "Excluded", "critical_values", "grouped", "recommend"]
