"""Results set against one another: rankings, groups, differences, and the gate."""
