"""Speed and memory as ratios to named baselines, each measured in the same run. `make bench-...` runs them."""
