"""Four generated, licence-free domains of live faces and attacks: a stand-in, not evidence about real ones.

domains + scale → output.generate.plan → one Video per recording → output.generate.render → samples

From the ground up; each folder imports only those above it in this list:

    imaging       image arithmetic, noise, lossy formats
    head, optics  the shape of a head · framing, the camera from radiance to picture
    person        bust (skin, eyes, features, hair, clothes) or portraits → cutout; pose; movement
    place         rooms; the light on a face, and its depth label
    instruments   prints, screens, cut masks, on a plane, in hands
    domains       what a domain is, how much of it to make, who appears in it
    filming       one recording: the occasion, the attacker's source, what reaches the lens
    output        samples, clips with annotations, contact sheets
"""
