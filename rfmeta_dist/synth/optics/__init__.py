"""Model the camera: framing, lens, sensor, exposure, colour, and the recorded picture."""
