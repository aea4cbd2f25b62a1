"""Cases for OCPP 2.0.1 and 2.1 alike; ids are those of the OCA's compliance tool, wording and scripts are ours.

Part 2 of 2.x is not public: what it asks for is cited by the test cases of 2.0.1 Part 6, which 2.1 carries over.
"""
