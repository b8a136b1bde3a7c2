package dev.layercake.engine;

import dev.layercake.kernels.LayercakeException;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.SplittableRandom;
import java.util.function.ToIntFunction;

/**
 * A generated text with facts planted in it, one of which is asked for: the needle. Invented names, our own filler
 * sentences; the same seed gives the same text. Facts and questions are phrased as the bundled model Crumb knows them.
 *
 * @param text all sentences, each beginning with a space
 * @param facts in the order of the text
 * @param needle the fact asked for, one of {@code facts}
 */
public record Haystack(String text, List<Fact> facts, Fact needle) {
    private static final List<String> ONSETS = List.of(
            "b", "br", "c", "d", "dr", "f", "g", "gr", "h", "k", "l", "m", "n", "p", "r", "s", "st", "t", "tr", "v",
            "w");
    private static final List<String> VOWELS = List.of("a", "e", "i", "o", "u", "ai", "ea");
    private static final List<String> CODAS = List.of("n", "r", "l", "m", "nd", "rt", "ll", "th", "sk", "ck", "x");
    private static final List<String> ATTRIBUTES = List.of("code", "number", "badge", "pin");
    private static final List<String> COLOURS =
            List.of("red", "blue", "green", "black", "white", "golden", "silver", "brown", "grey", "yellow");
    private static final List<String> POSSESSIONS = List.of(
            "lamp", "ring", "sword", "cup", "hat", "drum", "bell", "mirror", "knife", "flute", "crown", "violin");
    private static final List<String> TRADES =
            List.of("baker", "tailor", "doctor", "farmer", "judge", "painter", "sailor", "hunter", "miller", "weaver");

    /**
     * One planted sentence and how to ask for it.
     *
     * @param sentence " The code of Marlow is 4821."
     * @param question " What is the code of Marlow?"
     * @param answer " 4821"
     */
    public record Fact(String sentence, String question, String answer) {
        /** Whether an answer says this fact, spaces around it apart. */
        public boolean answeredBy(String given) {
            return given.strip().equals(answer.strip());
        }
    }

    public Haystack {
        facts = List.copyOf(facts);
        if (!facts.contains(needle)) {
            throw new IllegalArgumentException("the needle is not in the haystack");
        }
    }

    /** Text and question: what to ask a model. */
    public String prompt() {
        return text + needle.question();
    }

    /**
     * Generates a text.
     *
     * @param seed of everything in it
     * @param tokens length of text and question together; met as far as whole sentences allow, never exceeded
     * @param facts how many to plant, 1 to 16; the needle is a code, number, badge or pin, the others are where
     *     somebody lives, what somebody owns and what somebody does
     * @param depth where the needle lies: 0 at the beginning, 1 right before the question
     * @param tokenCount counts the tokens of a sentence
     * @throws LayercakeException (bad input) if facts and question alone are longer
     */
    public static Haystack generate(long seed, int tokens, int facts, double depth, ToIntFunction<String> tokenCount) {
        if (facts < 1 || facts > 16 || depth < 0 || depth > 1) {
            throw new IllegalArgumentException(facts + " facts, needle at " + depth);
        }
        SplittableRandom random = new SplittableRandom(seed);
        List<Fact> planted = facts(random, facts);
        Fact needle = planted.getFirst();
        int room = tokens - tokenCount.applyAsInt(needle.question());
        for (Fact fact : planted) {
            room -= tokenCount.applyAsInt(fact.sentence());
        }
        if (room < 0) {
            throw LayercakeException.badInput(
                    "A text of " + tokens + " tokens has no room for " + facts + (facts == 1 ? " fact" : " facts")
                            + " and a question; ask for at least " + (tokens - room) + " tokens.");
        }
        List<String> sentences = filler(random.nextLong(), room, tokenCount);
        int fillerCount = sentences.size();
        List<Fact> order = new ArrayList<>();
        int[] places = new int[facts];
        places[0] = (int) Math.round(depth * fillerCount);
        for (int index = 1; index < facts; index++) {
            places[index] = random.nextInt(fillerCount + 1);
        }
        StringBuilder text = new StringBuilder();
        for (int place = 0; place <= fillerCount; place++) {
            for (int index = 0; index < facts; index++) {
                if (places[index] == place) {
                    text.append(planted.get(index).sentence());
                    order.add(planted.get(index));
                }
            }
            if (place < fillerCount) {
                text.append(sentences.get(place));
            }
        }
        return new Haystack(text.toString(), order, needle);
    }

    private static List<String> filler(long seed, int tokens, ToIntFunction<String> tokenCount) {
        Chronicle chronicle = new Chronicle(seed);
        List<String> sentences = new ArrayList<>();
        int left = tokens;
        int misses = 0;
        // A few sentences may be too long for the last gap; after that many tries it is small enough.
        while (misses < 8) {
            String sentence = chronicle.sentence();
            int length = tokenCount.applyAsInt(sentence);
            if (length <= left) {
                sentences.add(sentence);
                left -= length;
            } else {
                misses++;
            }
        }
        return sentences;
    }

    private static List<Fact> facts(SplittableRandom random, int count) {
        List<Fact> facts = new ArrayList<>();
        List<String> names = new ArrayList<>();
        while (facts.size() < count) {
            String name = name(random);
            if (names.stream().noneMatch(other -> alike(other, name))) {
                names.add(name);
                facts.add(fact(random, name, facts.size()));
            }
        }
        return facts;
    }

    /** Small models tell names apart by how they begin or end; so should ours differ. */
    private static boolean alike(String one, String other) {
        return one.equals(other) || one.regionMatches(one.length() - 2, other, other.length() - 2, 2);
    }

    private static Fact fact(SplittableRandom random, String name, int index) {
        if (index == 0) {
            String attribute = pick(random, ATTRIBUTES);
            String value = " " + (1000 + random.nextInt(9000));
            return new Fact(
                    " The " + attribute + " of " + name + " is" + value + ".",
                    " What is the " + attribute + " of " + name + "?",
                    value);
        }
        return switch (index % 3) {
            case 1 -> {
                String town = name(random);
                yield new Fact(" " + name + " lives in " + town + ".", " Where does " + name + " live?", " " + town);
            }
            case 2 -> {
                String possession = pick(random, COLOURS) + " " + pick(random, POSSESSIONS);
                yield new Fact(
                        " " + name + " owns the " + possession + ".", " What does " + name + " own?", " " + possession);
            }
            default -> {
                String trade = pick(random, TRADES);
                yield new Fact(
                        " " + name + " works as a " + trade + ".", " What is the work of " + name + "?", " " + trade);
            }
        };
    }

    private static String name(SplittableRandom random) {
        StringBuilder name = new StringBuilder();
        int syllables = 1 + random.nextInt(2);
        for (int syllable = 0; syllable < syllables; syllable++) {
            name.append(pick(random, ONSETS)).append(pick(random, VOWELS));
        }
        name.append(pick(random, CODAS));
        return name.substring(0, 1).toUpperCase(Locale.ROOT) + name.substring(1);
    }

    private static String pick(SplittableRandom random, List<String> list) {
        return list.get(random.nextInt(list.size()));
    }
}
