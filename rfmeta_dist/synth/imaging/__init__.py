"""Image arithmetic, noise and lossy formats that all the other folders use."""
