"""
Writes what should not be written by hand: a new service, and the documents that mirror the code.

    python -m scaffold usage-meter     a service of the catalog: folder, contract, tests
    python -m scaffold.errors          docs/errors.md from the error tree
"""
