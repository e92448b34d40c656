"""What masks cover and what lies under them: pictures of all kinds, shapes, the canvas."""
