"""Cases for OCPP 1.6; ids are those of the OCA's compliance tool, wording and scripts are ours."""
