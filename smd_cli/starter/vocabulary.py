"""The words of the starter model and the prompts that a brush would make of them."""

OBJECTS: dict[str, str] = {
    "cat": "\N{CAT FACE}",
    "dog": "\N{DOG FACE}",
    "fox": "\N{FOX FACE}",
    "owl": "\N{OWL}",
    "frog": "\N{FROG FACE}",
    "panda": "\N{PANDA FACE}",
    "tree": "\N{DECIDUOUS TREE}",
    "pine tree": "\N{EVERGREEN TREE}",
    "palm tree": "\N{PALM TREE}",
    "cactus": "\N{CACTUS}",
    "sunflower": "\N{SUNFLOWER}",
    "rose": "\N{ROSE}",
    "mushroom": "\N{MUSHROOM}",
    "apple": "\N{RED APPLE}",
    "house": "\N{HOUSE BUILDING}",
    "castle": "\N{EUROPEAN CASTLE}",
    "car": "\N{AUTOMOBILE}",
    "sailboat": "\N{SAILBOAT}",
    "rocket": "\N{ROCKET}",
    "airplane": "\N{AIRPLANE}",
    "sun": "\N{BLACK SUN WITH RAYS}",
    "moon": "\N{CRESCENT MOON}",
    "star": "\N{WHITE MEDIUM STAR}",
    "cloud": "\N{CLOUD}",
    "rainbow": "\N{RAINBOW}",
    "snowman": "\N{SNOWMAN WITHOUT SNOW}",
    "ghost": "\N{GHOST}",
    "robot": "\N{ROBOT FACE}",
    "heart": "\N{HEAVY BLACK HEART}",
    "balloon": "\N{BALLOON}",
    "butterfly": "\N{BUTTERFLY}",
    "fish": "\N{FISH}",
    "whale": "\N{SPOUTING WHALE}",
    "bird": "\N{BIRD}",
    "horse": "\N{HORSE FACE}",
    "mountain": "\N{SNOW CAPPED MOUNTAIN}",
    "volcano": "\N{VOLCANO}",
    "tent": "\N{TENT}",
    "crown": "\N{CROWN}",
    "tulip": "\N{TULIP}",
}
"""Object word -> the character whose Noto Color Emoji glyph it means."""

MATERIALS: tuple[str, ...] = (
    "blue sky",
    "night sky",
    "sunset",
    "sea",
    "grass",
    "sand",
    "snow",
    "forest",
    "brick wall",
    "stone",
    "wood",
    "lava",
    "flowers",
    "white background",
    "black background",
)

WHITE = "white background"

_TAKES_NO_A = frozenset({"grass", "sand", "snow", "stone", "wood", "lava", "flowers"})


def with_article(word: str) -> str:
    """The word as one would ask for one of it: "a fox", "an owl", but "grass"."""
    if word in _TAKES_NO_A:
        return word
    return f"{'an' if word[0] in 'aeiou' else 'a'} {word}"


def caption(thing: str, material: str | None = None) -> str:
    """A brush prompt: an object (or a material) and, where given, what is around it."""
    return with_article(thing) if material is None else f"{with_article(thing)}, {material}"


def without_article(prompt: str) -> str:
    """The same prompt said shortly: "fox, grass" for "a fox, grass"."""
    return prompt.removeprefix("the ").removeprefix("an ").removeprefix("a ")
