"""Operating stacks: what would change, how they are, rolling out and removing."""
