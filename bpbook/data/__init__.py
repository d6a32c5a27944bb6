"""Data sets: real digits that ship with the book, toy sets in the plane, and MNIST on request."""

from .dataset import Dataset, one_hot
from .download import mnist
from .optdigits import digits
from .toy import blobs, circles, moons, spirals, xor

__all__ = ["Dataset", "blobs", "circles", "digits", "mnist", "moons", "one_hot", "spirals", "xor"]
