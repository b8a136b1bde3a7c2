package dev.layercake.engine;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.SplittableRandom;
import java.util.function.ToIntFunction;

/**
 * A text for tests: plain sentences with facts between them, one of which is asked for. The same seed gives the same text.
 *
 * @param text each sentence begins with a space
 * @param needle the fact asked for
 */
record Haystack(String text, Fact needle) {
    private static final List<String> FILLER = List.of(
            " The widow carried the ladder along the shore.",
            " It was a cold morning, and the fog came in across the water.",
            " The road to the mill was narrow, and the boy walked slowly.",
            " \"You will find it behind the door,\" the ferryman answered softly.",
            " Nobody in the village had slept well that night, for the wind was bitter.",
            " Once more the rain rose, and once more the pilot waited by the river.",
            " The merchant and the cooper went to the market together and quarrelled on the way.",
            " There was a broken wagon on the hill, and beside it lay a coat.",
            " They sat beside the fire and spoke in silence of the storm.",
            " At last the weather turned, and the boats could leave the harbour.",
            " The net was sold at once, and the money went to the watchman.",
            " From the church one could see the lantern, pale in the evening.",
            " No letter had come, and the nurse mended the sail to pass the winter.",
            " What the stranger had hidden under the stairs was never found.",
            " For a long while the old man looked at the gate and said nothing.",
            " All that spring the carpenter painted what was left of the boat.");
    private static final List<String> ONSETS = List.of("b", "br", "d", "f", "gr", "k", "l", "m", "st", "tr", "v", "w");
    private static final List<String> VOWELS = List.of("a", "e", "i", "o", "u", "ai", "ea");
    private static final List<String> CODAS = List.of("n", "r", "l", "m", "nd", "rt", "ll", "th", "sk", "ck", "x");

    /** A planted sentence and how to ask for it. */
    record Fact(String sentence, String question, String answer) {
        boolean answeredBy(String given) {
            return given.strip().equals(answer.strip());
        }
    }

    /** Text and question: what to ask a model. */
    String prompt() {
        return text + needle.question();
    }

    /**
     * Makes a text.
     *
     * @param tokens length of text and question together, met as far as whole sentences allow
     * @param facts how many to plant; the needle is a code, the others are where somebody lives
     * @param depth where the needle lies: 0 at the beginning, 1 at the end
     */
    static Haystack generate(long seed, int tokens, int facts, double depth, ToIntFunction<String> tokenCount) {
        SplittableRandom random = new SplittableRandom(seed);
        String name = name(random);
        String code = " " + (1000 + random.nextInt(9000));
        Fact needle = new Fact(" The code of " + name + " is" + code + ".", " What is the code of " + name + "?", code);
        List<String> others = new ArrayList<>();
        while (others.size() < facts - 1) {
            others.add(" " + name(random) + " lives in " + name(random) + ".");
        }
        int left = tokens - tokenCount.applyAsInt(needle.sentence() + needle.question() + String.join("", others));
        List<String> sentences = new ArrayList<>();
        String next = pick(random, FILLER);
        while (tokenCount.applyAsInt(next) <= left) {
            sentences.add(next);
            left -= tokenCount.applyAsInt(next);
            next = pick(random, FILLER);
        }
        int place = (int) Math.round(depth * sentences.size());
        sentences.add(place, needle.sentence());
        others.forEach(other -> sentences.add(random.nextInt(sentences.size() + 1), other));
        return new Haystack(String.join("", sentences), needle);
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
