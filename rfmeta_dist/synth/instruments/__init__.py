"""What attacks are made with: prints, screens and cut masks, on a plane, in hands."""
