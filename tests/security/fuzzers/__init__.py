"""A harness a parser, for atheris: ``python -m security.fuzzers.url`` and libFuzzer's own options."""
