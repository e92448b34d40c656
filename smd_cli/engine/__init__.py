"""The engine: schedule, masks, regions, guidance, noise, plan and stream."""
