"""What others make of the same two files; run in an environment of its own (.venv-bench), which has them.

`python bench/peers.py DIR` reads `register.csv` and `new.csv` there, and prints a JSON object: by name, `seconds` (of
CPU) and `pairs` (new_id, register_id, score in bits or null). Neither sees the truth. They compare the seven
fields that Wenk compares.
"""

import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import recordlinkage
from recordlinkage.preprocessing import clean
from splink import DuckDBAPI, Linker, SettingsCreator, block_on
from splink import comparison_library as compare

_FIELDS = ["given_names", "surname", "date_of_birth", "street", "house_number", "postcode", "place"]
_Link = Callable[[pd.DataFrame, pd.DataFrame], Sequence[tuple[str, str, float | None]]]
_ALIKE = 0.85
_KEPT_BITS = -10.0
_SEED = 7
_BLOCKS = ("date_of_birth", "surname", "given_names", "postcode", "street")
"""Pairs that have one of these in common are compared; the same for both. Wider than usual, to cost them no recall."""


def splink(register: pd.DataFrame, new: pd.DataFrame) -> list[tuple[str, str, float]]:
    """A Fellegi-Sunter model from Splink's own comparisons, with term frequencies, trained without labels.

    As its documentation has it: u by random sampling, m by expectation maximisation over two blockings. The prior is
    one in N, so that its match weight is what we call the score less log2(N).
    """
    settings = SettingsCreator(
        link_type="link_only",
        unique_id_column_name="id",
        probability_two_random_records_match=1 / len(register),
        blocking_rules_to_generate_predictions=[block_on(field) for field in _BLOCKS],
        comparisons=[
            compare.NameComparison("given_names").configure(term_frequency_adjustments=True),
            compare.NameComparison("surname").configure(term_frequency_adjustments=True),
            compare.DamerauLevenshteinAtThresholds("date_of_birth", [1, 2]),
            compare.JaroWinklerAtThresholds("street", [0.9, 0.8]).configure(term_frequency_adjustments=True),
            compare.DamerauLevenshteinAtThresholds("house_number", [1]),
            compare.DamerauLevenshteinAtThresholds("postcode", [1, 2]).configure(term_frequency_adjustments=True),
            compare.JaroWinklerAtThresholds("place", [0.9, 0.8]).configure(term_frequency_adjustments=True),
        ],
    )
    database = DuckDBAPI()
    linker = Linker([database.register(new), database.register(register)], settings, log_level="ERROR")
    linker.training.estimate_u_using_random_sampling(max_pairs=5e6, seed=_SEED)
    for fields in (("date_of_birth",), ("postcode", "house_number"), ("given_names", "surname")):
        linker.training.estimate_parameters_using_expectation_maximisation(
            block_on(*fields), fix_probability_two_random_records_match=True, record_sample_proportion=1.0
        )
    found = linker.inference.predict(threshold_match_weight=_KEPT_BITS).as_pandas_dataframe()
    known = set(register["id"])
    pairs = zip(found["id_l"], found["id_r"], found["match_weight"], strict=True)
    return [(one, other, bits) if other in known else (other, one, bits) for one, other, bits in pairs]


def unsupervised(register: pd.DataFrame, new: pd.DataFrame) -> list[tuple[str, str, None]]:
    """The ECMClassifier of recordlinkage, which needs no labels, on agreements of the same fields."""
    one, other = (frame.set_index("id").apply(clean) for frame in (new, register))
    index = recordlinkage.Index()
    for field in _BLOCKS:
        index.block(field)
    comparison = recordlinkage.Compare()
    for field in _FIELDS:
        comparison.string(field, field, method="jarowinkler", threshold=_ALIKE, label=field)
    agreements = comparison.compute(index.index(one, other), one, other)
    return [(a, b, None) for a, b in recordlinkage.ECMClassifier().fit_predict(agreements)]


def main() -> None:
    """Run them."""
    directory = Path(sys.argv[1])
    frames = [pd.read_csv(directory / name, dtype=str) for name in ("register.csv", "new.csv")]
    out: dict[str, Any] = {}
    links: dict[str, _Link] = {"Splink": splink, "recordlinkage": unsupervised}
    for name, link in links.items():
        begun = time.process_time()
        pairs = link(*(frame.copy() for frame in frames))
        out[name] = {"seconds": time.process_time() - begun, "pairs": pairs}
    json.dump(out, sys.stdout)


if __name__ == "__main__":
    main()
