"""Speed as ratios inside one run: ours, and the published algorithm as it stands.

In: a workload by name, a model. Out: figures. May import everything but cli and doctor.
"""
