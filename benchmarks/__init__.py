"""Speed as ratios, measured side by side in one run. Nothing here is a test.

python -m benchmarks               # all that fit in a few minutes
python -m benchmarks panel_cost    # one
"""
