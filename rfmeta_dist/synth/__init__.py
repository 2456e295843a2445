"""Generate face data that need no licence: domains of live faces and attacks. They say nothing about real data.

Data flow: domains + scale → output.generate.plan → one Video per recording → output.generate.render → samples

A folder imports only from folders above it in this list:

    imaging       image arithmetic, noise, lossy formats
    head, optics  the shape of a head · framing, and the camera from radiance to picture
    person        bust (skin, eyes, features, hair, clothes) or portraits → cutout; pose; movement
    place         rooms; the light on a face, and its depth label
    instruments   prints, screens, cut masks, on a plane, in hands
    domains       what a domain is, how much of it to make, who appears in it
    filming       one recording: its occasion, the attacker's source, what reaches the lens
    output        samples, clips with annotations, contact sheets
"""
