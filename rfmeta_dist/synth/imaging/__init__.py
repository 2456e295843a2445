"""Image arithmetic, noise and lossy formats that all other folders of the generator use."""
