"""Class names of the public releases, in label order."""

from __future__ import annotations

NW_UCLA = ("pick up with one hand", "pick up with two hands", "drop trash", "walk around", "sit down", "stand up",
           "donning", "doffing", "throw", "carry")

#: NW-UCLA's action numbers (the `a##` of a file name) in label order; 7 and 10 were never released.
NW_UCLA_ACTION_IDS = (1, 2, 3, 4, 5, 6, 8, 9, 11, 12)

NTU60 = (
    "drink water", "eat meal/snack", "brush teeth", "brush hair", "drop", "pick up", "throw", "sit down", "stand up",
    "clapping", "reading", "writing", "tear up paper", "put on jacket", "take off jacket", "put on a shoe",
    "take off a shoe", "put on glasses", "take off glasses", "put on a hat/cap", "take off a hat/cap", "cheer up",
    "hand waving", "kicking something", "reach into pocket", "hopping", "jump up", "phone call",
    "play with phone/tablet", "type on a keyboard", "point to something", "taking a selfie", "check time (from watch)",
    "rub two hands", "nod head/bow", "shake head", "wipe face", "salute", "put palms together", "cross hands in front",
    "sneeze/cough", "staggering", "falling down", "headache", "chest pain", "back pain", "neck pain", "nausea/vomiting",
    "fan self", "punch/slap", "kicking", "pushing", "pat on back", "point finger", "hugging", "giving object",
    "touch pocket", "shaking hands", "walking towards", "walking apart")

NTU120 = NTU60 + (
    "put on headphone", "take off headphone", "shoot at basket", "bounce ball", "tennis bat swing",
    "juggle table tennis ball", "hush", "flick hair", "thumb up", "thumb down", "make OK sign", "make victory sign",
    "staple book", "counting money", "cutting nails", "cutting paper", "snap fingers", "open bottle",
    "sniff/smell", "squat down", "toss a coin", "fold paper", "ball up paper", "play magic cube",
    "apply cream on face", "apply cream on hand", "put on bag", "take off bag", "put object into bag",
    "take object out of bag", "open a box", "move heavy objects", "shake fist", "throw up cap/hat", "capitulate",
    "cross arms", "arm circles", "arm swings", "run on the spot", "butt kicks", "cross toe touch", "side kick", "yawn",
    "stretch oneself", "blow nose", "hit with object", "wield knife", "knock over", "grab stuff", "shoot with gun",
    "step on foot", "high-five", "cheers and drink", "carry object", "take a photo", "follow", "whisper",
    "exchange things", "support somebody", "rock-paper-scissors")


def numbered(count: int) -> tuple[str, ...]:
    """Names for classes that nobody named: "class 1" is label 0."""
    return tuple(f"class {i + 1}" for i in range(count))


def ntu_names(largest_label: int) -> tuple[str, ...]:
    """The 60 names while they suffice, else all 120."""
    return NTU60 if largest_label < len(NTU60) else NTU120
