"""Parts of the deployment programs: which samples to run, running and comparing them, raw tensors, the report."""
