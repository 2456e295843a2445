"""Four generated, licence-free domains of live faces and attacks: a stand-in, not evidence about real ones.

domains + scale → generate.plan → one Video per recording → generate.render → samples

    people     identities → bust (head, skin, eyes, features, hair, clothes) or portraits → cutout; mimic
    scene      pose (framing, head turn, expression) → scene (light, backdrop, depth label)
    attacks    plane (how a carrier is held) → prints, screens
    camera     the same for both classes
    sheet      a picture of it all
"""
