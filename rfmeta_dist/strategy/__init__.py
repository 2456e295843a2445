"""Sum the workers' shares of the gradient. All collective operations of the system are in this folder."""
