"""Prove and time the engine on one GPU, without Ray: `make gpu`."""
