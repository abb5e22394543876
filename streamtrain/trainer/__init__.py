"""Training: the pipeline that live training and replay share, the loop around it, and replay."""
