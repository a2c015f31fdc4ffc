"""An axonal delay as one Lava Process."""
