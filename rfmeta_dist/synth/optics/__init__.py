"""What a camera sees and how it records: framing, sensor, and the steps from radiance to picture."""
