"""The words of the starter model and the prompts that a brush would make of them."""

from collections.abc import Sequence
from dataclasses import dataclass

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
    "rabbit": "\N{RABBIT FACE}",
    "bear": "\N{BEAR FACE}",
    "lion": "\N{LION FACE}",
    "tiger": "\N{TIGER FACE}",
    "pig": "\N{PIG FACE}",
    "cow": "\N{COW FACE}",
    "monkey": "\N{MONKEY FACE}",
    "koala": "\N{KOALA}",
    "chick": "\N{FRONT-FACING BABY CHICK}",
    "penguin": "\N{PENGUIN}",
    "duck": "\N{DUCK}",
    "flamingo": "\N{FLAMINGO}",
    "turtle": "\N{TURTLE}",
    "snail": "\N{SNAIL}",
    "bee": "\N{HONEYBEE}",
    "ladybug": "\N{LADY BEETLE}",
    "octopus": "\N{OCTOPUS}",
    "crab": "\N{CRAB}",
    "dolphin": "\N{DOLPHIN}",
    "elephant": "\N{ELEPHANT}",
    "dinosaur": "\N{SAUROPOD}",
    "unicorn": "\N{UNICORN FACE}",
    "dragon": "\N{DRAGON FACE}",
    "teddy bear": "\N{TEDDY BEAR}",
    "skull": "\N{SKULL}",
    "pear": "\N{PEAR}",
    "lemon": "\N{LEMON}",
    "banana": "\N{BANANA}",
    "watermelon": "\N{WATERMELON}",
    "strawberry": "\N{STRAWBERRY}",
    "pineapple": "\N{PINEAPPLE}",
    "carrot": "\N{CARROT}",
    "pumpkin": "\N{JACK-O-LANTERN}",
    "cake": "\N{BIRTHDAY CAKE}",
    "ice cream": "\N{SOFT ICE CREAM}",
    "donut": "\N{DOUGHNUT}",
    "cupcake": "\N{CUPCAKE}",
    "maple leaf": "\N{MAPLE LEAF}",
    "clover": "\N{FOUR LEAF CLOVER}",
    "cherry blossom": "\N{CHERRY BLOSSOM}",
    "fire": "\N{FIRE}",
    "planet": "\N{RINGED PLANET}",
    "bus": "\N{BUS}",
    "train": "\N{STEAM LOCOMOTIVE}",
    "tractor": "\N{TRACTOR}",
    "helicopter": "\N{HELICOPTER}",
    "ship": "\N{SHIP}",
    "anchor": "\N{ANCHOR}",
    "church": "\N{CHURCH}",
    "umbrella": "\N{UMBRELLA WITH RAIN DROPS}",
    "candle": "\N{CANDLE}",
    "book": "\N{CLOSED BOOK}",
    "guitar": "\N{GUITAR}",
    "drum": "\N{DRUM WITH DRUMSTICKS}",
    "bell": "\N{BELL}",
    "clock": "\N{ALARM CLOCK}",
    "gift": "\N{WRAPPED PRESENT}",
    "diamond": "\N{GEM STONE}",
    "trophy": "\N{TROPHY}",
    "top hat": "\N{TOP HAT}",
}
"""Object word -> the character whose Noto Color Emoji glyph it means."""

MATERIALS: tuple[str, ...] = (
    "sky",
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
    "background",
    "clouds",
    "rain",
    "galaxy",
    "aurora",
    "ice",
    "soil",
    "cobblestone",
    "tiles",
    "wheat",
    "leaves",
    "marble",
    "city",
)
"""What fills an area. A sky is blue unless a colour word says otherwise; a background is a plain
colour and always has such a word."""

BACKGROUND = "background"

COLOURABLE = frozenset(
    {
        *("sky", "sea", "grass", "sand", "brick wall", "stone", "wood", "flowers", BACKGROUND),
        *("clouds", "cobblestone", "tiles", "leaves", "marble"),
    }
)
"""The materials that a colour word may stand before. Every object takes one."""

COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (218, 38, 40),
    "orange": (248, 138, 22),
    "yellow": (250, 214, 40),
    "green": (46, 160, 60),
    "blue": (40, 104, 222),
    "purple": (138, 60, 196),
    "pink": (246, 128, 182),
    "black": (38, 38, 42),
    "white": (238, 240, 244),
}
"""Colour word -> the colour (0..255) of a thing's middle tones."""

_TAKES_NO_A = frozenset(
    {
        *("grass", "sand", "snow", "stone", "wood", "lava", "flowers", "clouds", "rain", "ice"),
        *("soil", "cobblestone", "tiles", "wheat", "leaves", "marble"),
    }
)


@dataclass(frozen=True)
class Thing:
    """An object or a material, as it is or of a colour."""

    word: str
    colour: str | None = None

    def __str__(self) -> str:
        return self.word if self.colour is None else f"{self.colour} {self.word}"


WHITE = Thing(BACKGROUND, "white")


def with_article(thing: Thing) -> str:
    """The thing as one would ask for one of it: "a fox", "an orange owl", but "red sand"."""
    name = str(thing)
    if thing.word in _TAKES_NO_A:
        return name
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def caption(things: Sequence[Thing], material: Thing | None = None) -> str:
    """A brush prompt: one or two things and, where given, what is around them."""
    named = " and ".join(with_article(thing) for thing in things)
    return named if material is None else f"{named}, {with_article(material)}"


def without_articles(prompt: str) -> str:
    """The same prompt said shortly: "fox, grass" for "a fox, grass"."""
    parts = (part.split(" and ") for part in prompt.split(", "))
    return ", ".join(" and ".join(_bare(name) for name in part) for part in parts)


def _bare(name: str) -> str:
    return name.removeprefix("the ").removeprefix("an ").removeprefix("a ")
