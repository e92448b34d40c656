"""Writers: frames in, whole files out."""
