"""What is asked or searched before and around a run: forecast, machine check, calibration and capacity."""
