"""Prose about nothing in particular, written for this project: on it a run shows what it has forgotten.

Ten subjects, everyday vocabulary, no sums. A technique that keeps the base model's knowledge of the language keeps
its likelihood of these texts.
"""

from __future__ import annotations

PARAGRAPHS = (
    "The harbour wakes before the town does. Long before the first bus, the boats come in one after another, "
    "their lamps still lit, and the gulls follow them along the breakwater. Crates are swung ashore, ice is "
    "shovelled, and the auctioneer walks up and down the wet stone with a notebook that nobody else can read. By "
    "the time the cafes open their shutters the fish is already on the road, and the men who caught it are "
    "asleep. What remains is a smell of salt and diesel, a few cats, and the slow knocking of hulls against old "
    "tyres.",
    "A glacier is ice that has begun to move. Snow falls, is buried by later snow, and loses its air under the "
    "weight until it turns blue and dense. When the mass is thick enough it flows downhill under its own burden, "
    "slowly at the edges and faster in the middle, grinding the rock beneath it to flour. The rivers that leave "
    "it are grey or milky with that flour, and the lakes they feed have the colour of turquoise. Where the ice "
    "has melted away, the valley keeps a rounded shape, and boulders lie about that came from mountains far off.",
    "In the workshop of a violin maker there is hardly any noise. The wood has been drying for many years; spruce "
    "for the belly, maple for the back and the ribs. The plates are carved by eye and by ear, tapped and bent and "
    "tapped again, until they answer with the note the maker is waiting for. Varnish is laid on in thin coats, "
    "each of which must dry before the next. When at last the strings are drawn up, the instrument is still a "
    "stranger. It has to be played for months before it speaks freely, and for decades before anyone can say what "
    "it has become.",
    "The old library had been built for readers who came on foot and stayed all day. Its reading room was high "
    "and rather cold, with green lamps, and a gallery that could be reached only by a spiral stair. The catalogue "
    "filled a wall of small oak drawers, and each card had been written by hand. A librarian knew most of the "
    "regulars by the books they asked for and very few of them by name. When the collection was moved to the new "
    "building, some of them went on coming to the empty room for a while, as one visits a house in which one was "
    "once happy.",
    "Bees find their way back to the hive by the sun, even when clouds hide it, because the sky keeps a pattern "
    "of polarised light that their eyes can read. A forager that has discovered a good patch of flowers dances on "
    "the comb when she returns. The angle of her dance tells her sisters the direction, its length the distance, "
    "and its vigour how much it is worth going there. In this way a colony of many thousands, none of which knows "
    "the whole, decides where to send its workers, and changes its mind when the lime trees stop flowering.",
    "The treaty was signed in a railway carriage because neither side would enter the other's capital. Its "
    "clauses dealt at length with fisheries, the upkeep of lighthouses and the language of inscriptions, and "
    "hardly at all with the quarrel that had caused the war. Later historians have made much of this silence. The "
    "delegates, whose letters have survived, seem to have thought differently: they believed that men who must "
    "meet every spring to settle the price of herring would find it tedious to fight each other in the summer, "
    "and for a long time they were right.",
    "To make a simple loaf, mix flour, water and salt with a spoonful of starter from the last baking, and leave "
    "the dough alone overnight. In the morning it will have risen and smell faintly sour. Fold it over itself a "
    "few times, shape it with wet hands, and let it rest under a cloth while the oven grows hot. A pan of water "
    "on the floor of the oven keeps the crust from setting too early. The bread is done when it sounds hollow if "
    "you knock on its base. Resist cutting it while it is warm: the crumb goes on forming as it cools.",
    "Stage fright does not spare the famous. One celebrated pianist could not eat on the day of a concert; "
    "another walked round the block until the hall was full and then had to be pushed through the door. What "
    "helps is seldom advice. Most performers in the end arrive at a small ritual of their own, a certain pair of "
    "shoes, a phrase said under the breath, a few minutes alone in the dark behind the curtain. The fear does not "
    "go away, they say, but it changes its character, and without it the evening would be merely correct.",
    "Clay remembers how it has been handled. A pot that was pulled up too quickly may look perfect on the wheel "
    "and yet twist in the kiln, because the particles lie along the spiral of the potter's hands. Drying must be "
    "slow and even, or the rim shrinks before the foot and a crack runs down from the lip. Glazes are another "
    "matter: ground rock and ash suspended in water, dull as mud, which the fire turns to glass. No two firings "
    "are alike, and those who want certainty are better served by another craft.",
    "The mountain village had one telephone, in the post office, and a boy was paid to run and fetch whoever was "
    "asked for. In winter the caller might wait a quarter of an hour on the line, listening to the stove and to "
    "the talk of the people who had come to buy stamps. Nobody found this odd. Good news was told again on the "
    "way home, bad news was known to everyone by evening, and matters of the heart were left to letters. When "
    "private lines were put in at last, the postmistress remarked that the village had become quieter and that "
    "she no longer knew how anyone was.",
)
