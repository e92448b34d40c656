"""From files to diffusers' and transformers' modules, and from those to a backbone."""
