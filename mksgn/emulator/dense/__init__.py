"""The emulator in torch: any device, whole batches, in floating point that holds every integer. Needs torch."""
