"""An adapter a family of models, and the starter model's own classes."""
