"""From the bytes of a scene file to nodes with places: encodings, YAML 1.2, slips."""
