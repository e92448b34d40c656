"""What a scene holds that is legal but hardly meant. Without torch; told by `smd check`."""
