"""Model the instruments of attacks: prints, screens and cut masks, flat or held in hands."""
