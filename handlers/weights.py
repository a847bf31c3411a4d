"""The weights that come with the package; the domain is handed them."""

from functools import cache
from importlib.resources import files

from domain.weights import Weights


@cache
def learned() -> Weights:
    """Those of `weights.toml`, beside this file, which is read once."""
    return Weights.read(files("handlers").joinpath("weights.toml").read_text("utf-8"))
