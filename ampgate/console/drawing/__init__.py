"""Where the lines and labels of the pictures are; templates write them as SVG. Pure."""
