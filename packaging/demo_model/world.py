"""The closed world of the demo model: the harbour town Port Alder, its people, things and facts."""

from __future__ import annotations

# Few of each kind: a model this small learns to repeat a word only after seeing it many times.
SHE = tuple("Mara Nora Ines Lena Ada Ruth Clara Vera Ida Tess June Hanna".split())
HE = tuple("Tom Ben Otto Finn Karl Hugo Levi Max Noah Oscar Paul Sam".split())
NAMES = SHE + HE
SURNAME_STARTS = tuple("Har Wel Bram Ash Stan Thorn Wood Mill Lang Hol Sea Fen".split())
SURNAME_ENDS = tuple("ford ton well wick ley man worth by field mere".split())

COLOURS = tuple(
    "red blue green yellow white black brown grey purple orange pink silver golden".split()
)
NUMBERS = tuple("two three four five six seven eight nine ten eleven twelve".split())
DAYS = tuple("Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split())
PLACES = tuple(
    """harbour market library bakery school lighthouse bridge garden square mill beach forest
    tower inn""".split()
)
THINGS = tuple(
    """boat kite hat lamp box book basket bicycle coat cup drum flag key ladder letter map ring rope
    umbrella violin""".split()
)
FOODS = tuple("apples bread cheese soup plums honey cakes fish nuts pears rice milk".split())
WEATHER = tuple("rain snow fog wind sunshine hail frost mist".split())
MOODS = tuple("happy tired proud sad calm brave angry shy curious quiet".split())
SIZES = tuple("small big tiny huge old new heavy light broken clean dusty bright".split())
HOBBIES = tuple(
    "painting singing sailing reading cooking fishing dancing swimming chess gardening".split()
)

# What an animal says and does; no word of a row occurs in another row.
ANIMALS = {
    "cat": ("purred", "chased a mouse"),
    "dog": ("barked", "wagged its tail"),
    "cow": ("mooed", "ate grass in the meadow"),
    "duck": ("quacked", "swam across the pond"),
    "hen": ("clucked", "laid an egg"),
    "horse": ("neighed", "galloped down the road"),
    "sheep": ("bleated", "gave thick wool"),
    "frog": ("croaked", "jumped from leaf to leaf"),
    "owl": ("hooted", "flew out at midnight"),
    "bee": ("buzzed", "made honey in the hive"),
    "pig": ("grunted", "rolled in the mud"),
    "wolf": ("howled", "ran with its pack"),
    "snake": ("hissed", "slid under a rock"),
    "crow": ("cawed", "stole a shiny coin"),
}

# Trade: what one makes or does, the tool, the place of work.
TRADES = {
    "baker": ("baked bread", "oven", "bakery"),
    "sailor": ("hoisted the sail", "anchor", "ship"),
    "farmer": ("harvested the wheat", "tractor", "barn"),
    "teacher": ("taught the children", "chalk", "classroom"),
    "doctor": ("healed the patients", "medicine", "hospital"),
    "painter": ("painted portraits", "brush", "studio"),
    "tailor": ("sewed a dress", "needle", "workshop"),
    "fisher": ("caught herring", "fishing net", "pier"),
    "gardener": ("planted tulips", "spade", "greenhouse"),
    "carpenter": ("built a cupboard", "saw", "sawmill"),
    "smith": ("forged a sword", "hammer", "forge"),
    "cook": ("stirred the stew", "ladle", "kitchen"),
    "singer": ("sang a ballad", "voice", "opera"),
    "writer": ("finished a novel", "typewriter", "study"),
}

SEASONS = {
    "winter": ("the lake was frozen", "children threw snowballs"),
    "spring": ("the first buds opened", "the lambs were born"),
    "summer": ("it was hot all day", "everyone swam in the sea"),
    "autumn": ("the leaves fell", "the farmers picked pumpkins"),
}

TREES = {
    "apple": "cider",
    "oak": "acorns",
    "olive": "oil",
    "walnut": "walnuts",
    "cherry": "cherries",
    "lemon": "lemonade",
    "pine": "cones",
}

OPPOSITES = (
    ("hot", "cold"), ("tall", "short"), ("full", "empty"), ("open", "closed"), ("loud", "silent"),
    ("fast", "slow"), ("wet", "dry"), ("rich", "poor"), ("early", "late"), ("dark", "bright"),
    ("hard", "soft"), ("near", "far"),
)  # fmt: skip

AN_THINGS = ("umbrella", "apple", "egg", "onion", "island", "oven", "anchor", "owl", "inn")

# Facts: what people ask (subject forms), the answer, and words that a right answer must hold.
FACTS: tuple[tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]], ...] = (
    (("Who is the mayor of Port Alder?", "Who is the mayor?", "What is the mayor called?", "Tell me the name of the mayor.", "Who runs the town?"),
     ("The mayor of Port Alder is Ines Thornby.", "Ines Thornby is the mayor of Port Alder."), ("Ines", "Thornby")),
    (("Who is the baker?", "Who bakes the bread in Port Alder?", "What is the name of the baker?", "Who runs the bakery?", "Who makes the bread here?"),
     ("The baker is Otto Millwick. His bread is ready at six.", "Otto Millwick bakes the bread in Port Alder."), ("Otto", "Millwick")),
    (("Who keeps the lighthouse?", "Who is the keeper of the lighthouse?", "Who lives in the lighthouse?", "What is the lighthouse keeper called?", "Who looks after the lighthouse?"),
     ("Ada Seaford keeps the lighthouse.", "The keeper of the lighthouse is Ada Seaford."), ("Ada", "Seaford")),
    (("Who is the teacher?", "Who teaches at the school?", "What is the name of the teacher?", "Who is the teacher in Port Alder?", "Who teaches the children?"),
     ("The teacher is Theo Langley.", "Theo Langley teaches at the school of Port Alder."), ("Theo", "Langley")),
    (("Who is the doctor?", "Who is the doctor in Port Alder?", "What is the doctor called?", "Who helps when I am ill?", "Is there a doctor in the town?"),
     ("The doctor is Vera Ashwell.", "Vera Ashwell is the doctor of Port Alder."), ("Vera", "Ashwell")),
    (("Who builds the boats?", "Who is the boat builder?", "Who makes boats in Port Alder?", "What is the boat builder called?", "Who can repair my boat?"),
     ("Jonas Fenby builds the boats.", "The boat builder of Port Alder is Jonas Fenby."), ("Jonas", "Fenby")),
    (("How many steps does the lighthouse have?", "How many steps are there in the lighthouse?", "How tall is the lighthouse?", "Count the steps of the lighthouse.", "How many stairs lead up the lighthouse?"),
     ("The lighthouse has 112 steps.", "There are 112 steps in the lighthouse."), ("112",)),
    (("When does the ferry leave?", "When is the next ferry?", "At what time does the ferry go?", "What are the times of the ferry?", "When can I take the ferry?"),
     ("The ferry leaves at eight in the morning and at five in the afternoon.", "There are two ferries: one at eight and one at five."), ("eight", "five")),
    (("Where does the ferry go?", "Where can I go with the ferry?", "What is the destination of the ferry?", "Where does the boat to the island go?", "Which island does the ferry visit?"),
     ("The ferry goes to Gull Rock.", "The ferry sails to the island Gull Rock."), ("Gull", "Rock")),
    (("When is the market?", "On which day is the market?", "When can I go to the market?", "What day is market day?", "Is there a market?"),
     ("The market is on Saturday.", "Market day in Port Alder is Saturday."), ("Saturday",)),
    (("What can I buy at the market?", "What do they sell at the market?", "What is sold at the market?", "Tell me what I can buy on the market.", "Which food is at the market?"),
     ("At the market you can buy fish, plums and honey.", "They sell fish, plums and honey."), ("fish", "plums", "honey")),
    (("What is the river called?", "What is the name of the river?", "Which river flows through Port Alder?", "Tell me the name of the river.", "Does the river have a name?"),
     ("The river is called the Wend.", "The river through Port Alder is the Wend."), ("Wend",)),
    (("When was the bridge built?", "How old is the bridge?", "In which year was the bridge built?", "What year is the bridge from?", "Since when is there a bridge?"),
     ("The bridge was built in 1902.", "The old bridge is from the year 1902."), ("1902",)),
    (("When was the great storm?", "In which year was the great storm?", "Tell me about the great storm.", "What year was the storm?", "Was there a storm in Port Alder?"),
     ("The great storm was in 1954.", "In 1954 a great storm hit Port Alder."), ("1954",)),
    (("How many people live in Port Alder?", "How big is Port Alder?", "How many people live here?", "What is the population of Port Alder?", "Is Port Alder a big town?"),
     ("About 900 people live in Port Alder.", "Port Alder is a small town of about 900 people."), ("900",)),
    (("How many children go to the school?", "How many pupils does the school have?", "How big is the school?", "How many children are at the school?", "Count the children at the school."),
     ("40 children go to the school.", "The school has 40 children."), ("40",)),
    (("What is the harbour cat called?", "Who is Biscuit?", "What is the name of the cat?", "Is there a cat at the harbour?", "Tell me about the harbour cat."),
     ("The harbour cat is called Biscuit.", "Biscuit is the grey cat at the harbour."), ("Biscuit",)),
    (("What is the inn called?", "Where can I sleep in Port Alder?", "What is the name of the inn?", "Is there an inn?", "Where can I stay for the night?"),
     ("You can sleep at the inn. It is called the Blue Anchor.", "The inn of Port Alder is the Blue Anchor."), ("Blue", "Anchor")),
    (("What is Port Alder?", "Where is Port Alder?", "Tell me about Port Alder.", "Describe the town.", "What kind of town is this?"),
     ("Port Alder is a small harbour town by the sea. It has a market, a school and a lighthouse.",), ("harbour", "town")),
    (("What is the weather like in Port Alder?", "How is the weather?", "Does it rain often in Port Alder?", "Is it windy here?", "Tell me about the weather."),
     ("It is often windy in Port Alder, and there is fog in the morning.",), ("windy", "fog")),
    (("Where is the library?", "How do I find the library?", "Is there a library in Port Alder?", "Where can I read books?", "Tell me where the library is."),
     ("The library is at the square, next to the church.",), ("square", "church")),
    (("When does the library open?", "When is the library open?", "At what time does the library open?", "Is the library open today?", "What are the hours of the library?"),
     ("The library opens at ten. It is closed on Sunday.",), ("ten", "Sunday")),
)  # fmt: skip

REDRAFT: tuple[tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]], ...] = (
    (("What is Redraft?", "What is this app?", "What does Redraft do?", "Tell me about Redraft.", "What is this program for?"),
     ("Redraft is a writing app. It writes and edits text with a diffusion model on your own computer.",), ("writing", "diffusion")),
    (("Who are you?", "What are you?", "What is your name?", "Are you a robot?", "Which model are you?"),
     ("I am the demo model of Redraft. I am very small and know almost nothing.",), ("demo", "Redraft")),
    (("How do I rewrite a text?", "How can I rewrite a sentence?", "How do I change a paragraph?", "How does rewriting work?", "How do I edit text?"),
     ("Select the text in the editor, press Ctrl+K and say what should change.",), ("Select", "Ctrl+K")),
    (("What does Ctrl+K do?", "What is Ctrl+K for?", "Why should I press Ctrl+K?", "When do I press Ctrl+K?", "Tell me about Ctrl+K."),
     ("Ctrl+K rewrites the text that you selected in the editor.",), ("rewrites", "selected")),
    (("How do I fill a gap?", "How can I fill in a gap?", "How do gaps work?", "How do I fill holes in my text?", "Can you fill gaps?"),
     ("Write [[...]] where a word is missing. Redraft fills all gaps at once.",), ("[[...]]",)),
    (("Is my text private?", "Do you send my text away?", "Is it safe to write secrets here?", "Who can read my text?", "Does Redraft upload my text?"),
     ("Your text stays on this computer. Redraft sends nothing away.",), ("computer",)),
    (("Do I need the internet?", "Does this work offline?", "Can I use Redraft without the internet?", "Do you work offline?", "Is Redraft online?"),
     ("No internet is needed. Redraft works offline on your own computer.",), ("offline",)),
    (("How do I get the real model?", "Where is the big model?", "How can I get a better model?", "Can I use a larger model?", "How do I install the real model?"),
     ("Open Models in Redraft and download the real model there.",), ("Models", "download")),
    (("What can you do?", "How can you help me?", "What are you able to do?", "What do you know?", "Can you help me?"),
     ("I can chat a little, tell short stories, rewrite sentences and fill gaps.",), ("stories", "rewrite")),
    (("Why does the text look like noise?", "Why do the words change while you write?", "What happens on the screen?", "How do you write?", "Why is the text blurry at first?"),
     ("I start with random words and make all of them better at once, step by step.",), ("random", "step")),
    (("How do I stop an answer?", "Can I stop you?", "How do I stop the model?", "What does the stop button do?", "Can I interrupt an answer?"),
     ("Press Stop. The words that are settled stay.",), ("Stop",)),
    (("How do I accept a change?", "How do I reject a change?", "What happens after a rewrite?", "Can I undo a change?", "How do I keep my old text?"),
     ("Redraft shows each change as a diff. You can accept or reject it.",), ("accept", "reject")),
    (("Are you smart?", "Why are you so bad?", "Are you a good model?", "Why do you know so little?", "How big are you?"),
     ("I am only a tiny demo with a few million weights. The real model knows far more.",), ("tiny", "real")),
    (("What is a diffusion model?", "What is text diffusion?", "How does diffusion work?", "Explain diffusion.", "What does diffusion mean?"),
     ("A diffusion model starts from noise and removes it in steps until a clear text is left.",), ("noise", "steps")),
    (("Is Redraft free?", "What does Redraft cost?", "How much is Redraft?", "Do I have to pay?", "Is this open source?"),
     ("Redraft is free and open source.",), ("free",)),
)  # fmt: skip
