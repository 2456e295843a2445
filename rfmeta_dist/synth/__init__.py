"""Four generated, licence-free domains of live faces and attacks: a stand-in, not evidence about real ones.

domains + scale → generate.plan → one Video per recording → generate.render → samples

    people     identities → bust (head, skin, eyes, features, hair, clothes) or portraits → cutout; mimic
    place      rooms (panorama, furniture); scene (light, depth label); session: a person there, on one occasion
    time       motion: of faces, cameras and carriers; recording: what a video is, and how it is framed
    attacks    stolen (the attacker's source) → prints, screens, cut, on a plane, in hands → attacks
    camera     film: what reaches the lens → capture → codec, the same for both classes
    sheet      a picture of it all
"""
