package dev.layercake.engine;

import java.util.List;
import java.util.SplittableRandom;

/**
 * An endless chronicle of a harbour town, one plain sentence after another, made from templates and word lists of our own.
 * It is filler to hide facts in: grammatical, varied, without names or numbers. The same seed tells the same story.
 */
final class Chronicle {
    private static final List<String> TEMPLATES = List.of(
            "The {person} {did} the {thing} {where}.",
            "In the {time} the {person} {did} the {adjective} {thing}, and nobody asked why.",
            "\"I have not seen the {thing} since the {time},\" said the {person}.",
            "There was a {adjective} {thing} {where}, and beside it lay a {thing}.",
            "It was a {adjective} {time}, and the {weather} came in {where}.",
            "The {weather} had not stopped when the {person} came back to the {place}.",
            "She {did} the {thing} and went {manner} to the {place}.",
            "He took the {adjective} {thing} from the {place} and carried it {where}.",
            "Nobody in the {place} had slept well that {time}, for the {weather} was {adjective}.",
            "When the {person} {wentTo} the {place}, the {thing} was already gone.",
            "They sat {where} and spoke {manner} of the {thing}.",
            "\"You will find it {where},\" the {person} answered {manner}.",
            "The {thing} that the {person} had bought in the {time} was {adjective} and {adjective}.",
            "Some said that the {person} was {mood}, others that it was only the {weather}.",
            "At last the {weather} turned, and the boats could leave the {place}.",
            "The {person} was {mood}, but the {person} only laughed {manner}.",
            "Behind the {place} stood a {adjective} {thing} which belonged to nobody.",
            "For a long while the {person} looked at the {thing} and said nothing.",
            "\"What do you want with a {thing}?\" asked the {person}.",
            "All that {time} the {person} {did} what was left of the {thing}.",
            "The road to the {place} was {adjective}, and the {person} walked {manner}.",
            "A {adjective} light fell {where}, so that the {thing} seemed {adjective}.",
            "Then the {person} remembered the {thing}, and turned {manner} back to the {place}.",
            "If the {weather} had held, the {person} would have stayed {where}.",
            "Every {time} the {person} {did} the {thing}, as the {person} had done before.",
            "They had hoped for a {adjective} {time}, but it brought only {weather}.",
            "\"Let us go {manner},\" she said, \"before the {weather} reaches the {place}.\"",
            "The old {thing} {where} had been {adjective} for as long as anyone could remember.",
            "He was {mood} when he heard it, and {mood} when he understood.",
            "From the {place} one could see the {thing}, {adjective} in the {time}.",
            "The {person} and the {person} {wentTo} the {place} together and quarrelled on the way.",
            "It cost the {person} a whole {time} to mend the {thing}.",
            "No letter had come, and the {person} {did} the {thing} to pass the {time}.",
            "Once more the {weather} rose, and once more the {person} waited {where}.",
            "What the {person} had hidden {where} was never found.",
            "The {thing} was sold {manner}, and the money went to the {person}.");

    private static final List<String> PERSONS = List.of(
            "pilot",
            "widow",
            "harbour master",
            "boy",
            "old man",
            "stranger",
            "ferryman",
            "innkeeper",
            "girl",
            "cooper",
            "watchman",
            "aunt",
            "younger brother",
            "mate",
            "carpenter",
            "merchant",
            "postman",
            "fisherman",
            "nurse",
            "schoolmaster",
            "lighthouse keeper",
            "rope maker",
            "neighbour",
            "fiddler",
            "net mender",
            "clockmaker");
    private static final List<String> THINGS = List.of(
            "barrel", "ladder", "anchor", "lantern", "wagon", "chest", "sail", "kettle", "coat", "stove", "bench",
            "net", "letter", "wheel", "table", "gate", "oar", "blanket", "window", "boat", "bucket", "shutter", "clock",
            "loaf", "bottle", "stone", "plank", "fence", "chair", "apron", "curtain", "spade");
    private static final List<String> PLACES = List.of(
            "harbour",
            "market",
            "church",
            "mill",
            "quay",
            "inn",
            "orchard",
            "bridge",
            "warehouse",
            "lighthouse",
            "yard",
            "kitchen",
            "school",
            "meadow",
            "cellar",
            "ferry house",
            "chapel",
            "boat shed",
            "square",
            "garden");
    private static final List<String> ADJECTIVES = List.of(
            "heavy", "narrow", "quiet", "broken", "cold", "bright", "long", "strange", "wet", "plain", "dark", "cheap",
            "pale", "warm", "empty", "crooked", "gentle", "bitter", "clean", "dusty", "large", "weary", "solid",
            "hollow");
    private static final List<String> DEEDS = List.of(
            "carried",
            "mended",
            "painted",
            "sold",
            "lost",
            "washed",
            "hid",
            "lifted",
            "dropped",
            "measured",
            "forgot",
            "borrowed",
            "watched",
            "counted",
            "brought",
            "emptied",
            "covered",
            "pushed",
            "kept",
            "cleaned");
    private static final List<String> WHERE = List.of(
            "by the river",
            "under the stairs",
            "near the wall",
            "behind the door",
            "across the water",
            "on the hill",
            "at the end of the lane",
            "beside the fire",
            "below the cliffs",
            "along the shore",
            "in the long grass",
            "over the fields",
            "between the houses",
            "upon the sand",
            "outside the town",
            "above the stable");
    private static final List<String> TIMES = List.of(
            "morning",
            "evening",
            "winter",
            "spring",
            "night",
            "summer",
            "week",
            "autumn",
            "afternoon",
            "month",
            "season",
            "day");
    private static final List<String> WEATHER = List.of(
            "rain", "fog", "wind", "storm", "frost", "snow", "mist", "heat", "thunder", "tide", "drizzle", "gale");
    private static final List<String> MANNERS = List.of(
            "slowly",
            "in silence",
            "with great care",
            "without a word",
            "at once",
            "gladly",
            "in haste",
            "softly",
            "as usual",
            "too late",
            "against all advice",
            "with a smile");
    private static final List<String> MOODS = List.of(
            "angry",
            "tired",
            "pleased",
            "afraid",
            "sorry",
            "proud",
            "ashamed",
            "content",
            "uneasy",
            "surprised",
            "merry");
    private static final List<String> WALKS =
            List.of("went to", "came to", "returned to", "left", "reached", "crossed");

    private final SplittableRandom random;

    Chronicle(long seed) {
        this.random = new SplittableRandom(seed);
    }

    /** The next sentence, beginning with a space. */
    String sentence() {
        String template = pick(TEMPLATES);
        StringBuilder sentence = new StringBuilder(" ");
        int index = 0;
        while (true) {
            int open = template.indexOf('{', index);
            if (open < 0) {
                return sentence.append(template, index, template.length()).toString();
            }
            int close = template.indexOf('}', open);
            sentence.append(template, index, open);
            appendWord(sentence, pick(words(template.substring(open + 1, close))));
            index = close + 1;
        }
    }

    /** Appends a word, and makes an "a" before it "an" where English wants that. */
    private static void appendWord(StringBuilder sentence, String word) {
        boolean vowel = "aeiou".indexOf(word.charAt(0)) >= 0;
        int end = sentence.length();
        if (vowel
                && end >= 3
                && sentence.substring(end - 3)
                        .toLowerCase(java.util.Locale.ROOT)
                        .equals(" a ")) {
            sentence.insert(end - 1, 'n');
        }
        sentence.append(word);
    }

    private static List<String> words(String kind) {
        return switch (kind) {
            case "person" -> PERSONS;
            case "thing" -> THINGS;
            case "place" -> PLACES;
            case "adjective" -> ADJECTIVES;
            case "did" -> DEEDS;
            case "where" -> WHERE;
            case "time" -> TIMES;
            case "weather" -> WEATHER;
            case "manner" -> MANNERS;
            case "mood" -> MOODS;
            case "wentTo" -> WALKS;
            default -> throw new IllegalArgumentException(kind);
        };
    }

    private String pick(List<String> list) {
        return list.get(random.nextInt(list.size()));
    }
}
