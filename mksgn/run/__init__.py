"""Running a graph anywhere: what a backend is, which there are, running part by part, comparing two runs."""
