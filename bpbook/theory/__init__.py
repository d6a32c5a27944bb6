"""What theory predicts, to be drawn beside what is measured."""

from bpbook.theory.mean_field import correlation_map, slope_factor, variance_map

__all__ = ["correlation_map", "slope_factor", "variance_map"]
