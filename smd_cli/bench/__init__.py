"""Speed as ratios inside one run. May import everything but cli and doctor."""
