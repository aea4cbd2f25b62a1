"""The ledger of a load run: every transaction that a station told, held against what the CSMS answered and recorded.

    entry      at the station: one visit, from plugging in to the last answer, becomes one row
    row        that row, and the file `ledger.jsonl`
    records    what the CSMS recorded, read in whatever spelling it has
    reconcile  rows against records; pure
    kpis       what a driver would notice
    companion  the part of the run that hears the rows and concludes
    control    records from the control port of the practice CSMS

`docs/ledger.md` says what each finding means.
"""
