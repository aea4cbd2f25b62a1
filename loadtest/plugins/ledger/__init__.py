"""The ledger of a load run: every transaction that a station told, held against what the CSMS answered and recorded.

    loadtest.station.session_record   at the station: one charging session, from plug-in to the last answer, as a row
    loadtest.measuring.session_row    that row
    row_file                          the file `ledger.jsonl`
    records                           what the CSMS recorded, read in whatever spelling it has
    reconcile                         rows against records; pure
    kpis                              what a driver would notice
    plugin                            the part of the run that hears the rows and concludes
    control_port                      records from the control port of the practice CSMS

`docs/ledger.md` says what each finding means.
"""
