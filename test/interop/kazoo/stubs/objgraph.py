"""The one function of the package `objgraph` that kazoo's tests use."""
import gc


def count(typename):
    return sum(1 for o in gc.get_objects() if type(o).__name__ == typename)
