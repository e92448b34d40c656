"""The scene: what the user wrote, checked and frozen. Nothing in here imports torch."""
